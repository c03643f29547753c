"""Following what was sent in: as an answer, as a history, as events until it is settled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, HTTPException, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from psycopg import OperationalError
from pydantic import BaseModel, Field

from lastmile.access.principal import Principal
from lastmile.ingestion.submissions import jobs
from lastmile.ingestion.submissions.jobs import Job, JobFilter, State
from lastmile.ingestion.submissions.submission import Kind
from lastmile.serving.intake.following import (
    Follower,
    JobWithRecords,
    ShownJob,
    follower,
    found_job,
    masked_for,
    only_of,
    shown,
    shown_record,
)
from lastmile.serving.parameters import After, Count, Moment, Text
from lastmile.serving.problems import documented
from lastmile.serving.state import Here, Serving, serving

router = APIRouter(prefix="/api/v1", tags=["ingest"])

#: How often those who follow are looked up for.
_SECONDS = 1.0
#: So often a stream says that it is still there.
_SILENT_SECONDS = 15.0
_UNKNOWN = documented({404: "No such job, or not yours"})


class Jobs(BaseModel):
    """The newest first. `after` requests the next page; null where this is the last one."""

    jobs: list[ShownJob]
    after: int | None = Field(description="the place of the last one shown")


@router.get("/jobs", summary="What was sent in, and how it stands.")
def list_jobs(
    principal: Follower,
    here: Here,
    dataset: Text | None = None,
    kind: Kind | None = None,
    state: State | None = None,
    by: Annotated[Text | None, Query(description="who sent it")] = None,
    since: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    after: After = None,
) -> Jobs:
    """A device sees what it sent itself."""
    wanted = JobFilter(dataset, kind, state, only_of(principal) or by, since)
    with here.reading() as connection:
        found = jobs.page(connection, wanted, limit + 1, after)
    page = [shown(one) for one in found[:limit]]
    return Jobs(jobs=page, after=page[-1].place if len(found) > limit else None)


@router.get("/jobs/{job}", summary="What became of one, with the violations of its records.", responses=_UNKNOWN)
def one_job(
    job: UUID,
    principal: Follower,
    here: Here,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    after: Annotated[Count, Query(description="`after` of the page before")] = 0,
) -> JobWithRecords:
    """Violations of a file's rows are in the quarantine, by its drop."""
    found = shown(found_job(here, job, principal))
    masked = masked_for(here, principal)
    with here.reading() as connection:
        records = jobs.records_of(connection, job, limit + 1, after) if found.kind != "file" else []
    page = [shown_record(one, masked) for one in records[:limit]]
    following = page[-1].id if len(records) > limit else None
    return JobWithRecords(**found.model_dump(), found=page, after=following)


@router.get(
    "/jobs/{job}/events",
    summary="Its states as server-sent events, until it is settled.",
    response_class=StreamingResponse,
    responses=_UNKNOWN
    | {
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
        204: {"description": "Settled, as `Last-Event-ID` says: no need to connect again"},
    },
)
async def events(
    job: UUID,
    principal: Follower,
    here: Here,
    last_event_id: Annotated[str | None, Header(max_length=256, pattern=r"^[\x20-\x7e]*$")] = None,
) -> Response:
    """The data of each event is a job as JSON. Connected again with `Last-Event-ID`, it goes on with what is new."""
    now = await run_sync(found_job, here, job, principal)
    if now.is_settled and _mark(now) == last_event_id:
        return Response(status_code=204)

    async def stream() -> AsyncIterator[str]:
        seen, silent = last_event_id, 0.0
        async for found in _states(here, now, principal):
            if found is not None and _mark(found) != seen:
                seen, silent = _mark(found), 0.0
                yield f"id: {seen}\nevent: {found.state}\ndata: {shown(found).model_dump_json()}\n\n"
            elif (silent := silent + _SECONDS) >= _SILENT_SECONDS:
                silent = 0.0
                yield ": still there\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.websocket("/jobs/{job}/ws")
async def follow(job: UUID, socket: WebSocket) -> None:
    """The same as messages of JSON; closed once it is settled. Refused (1008) to who may not see it."""
    here = await serving(socket)
    try:
        principal = await follower(socket)
        now = await run_sync(found_job, here, job, principal)
    except HTTPException as refused:
        await socket.close(1008, str(refused.detail)[:120])
        return
    await socket.accept()
    sending, ended = asyncio.create_task(_send(socket, here, now, principal)), asyncio.create_task(_ended(socket))
    _, others = await asyncio.wait((sending, ended), return_when=asyncio.FIRST_COMPLETED)
    for task in others:
        task.cancel()


#: It looks itself who follows, since it answers by closing.
follow.permission = follower.permission  # type: ignore[attr-defined]  # see `demanded_by`


async def _send(socket: WebSocket, here: Serving, now: Job, principal: Principal) -> None:
    seen = None
    with suppress(WebSocketDisconnect):
        async for found in _states(here, now, principal):
            if found is not None and _mark(found) != seen:
                seen = _mark(found)
                await socket.send_text(shown(found).model_dump_json())
        await socket.close()


async def _ended(socket: WebSocket) -> None:
    """Returns when the client is gone; what it sends says nothing."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _states(here: Serving, now: Job, principal: Principal) -> AsyncIterator[Job | None]:
    """The job, about once a second, until it is settled or this process is to end; None while the database does not
    answer."""
    found: Job | None = now
    while True:
        yield found
        if here.is_draining or (found is not None and found.is_settled):
            return
        await asyncio.sleep(_SECONDS)
        try:
            found = await run_sync(found_job, here, now.id, principal)
        except OperationalError:
            found = None


def _mark(job: Job) -> str:
    """Another one whenever there is something new to say."""
    return f"{job.state}-{job.drop_id}-{job.rows_read}-{job.rows_loaded}-{job.rows_quarantined}-{job.rows_duplicate}"
