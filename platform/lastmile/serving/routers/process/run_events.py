"""A run as server-sent events: its state each time that anything about it changes, until it has ended."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.to_thread
from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from lastmile.access.principal import Principal
from lastmile.serving.routers.process.runs import ENDED, Reader, RunId, as_run, found_run
from lastmile.serving.state import Here, Serving

router = APIRouter(prefix="/api/v1", tags=["process"])

_LOOKED_SECONDS = 1.0
#: A line that says nothing, so that what is between does not close the connection.
_ALIVE_AFTER = 15


@router.get(
    "/runs/{run}/events",
    summary="Follow a run: server-sent events.",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(run: RunId, reader: Reader, here: Here) -> StreamingResponse:
    """Each event is a `state` with the run as JSON; the last one has a state that is final. What was missed while
    disconnected is in the first event: where the stream ends before that, connect again."""
    found = await anyio.to_thread.run_sync(found_run, here, run)
    return StreamingResponse(
        _followed(here, run, found, reader), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


async def _followed(here: Serving, run: str, found: dict[str, Any], reader: Principal) -> AsyncIterator[str]:
    yield _event(found, reader)
    silent = 0
    while found["state"] not in ENDED and not here.is_draining:
        await anyio.sleep(_LOOKED_SECONDS)
        now = await anyio.to_thread.run_sync(found_run, here, run)
        silent = silent + 1 if now == found else 0
        if now != found:
            yield _event(now, reader)
        elif silent % _ALIVE_AFTER == 0:
            yield ":\n\n"
        found = now


def _event(found: dict[str, Any], reader: Principal) -> str:
    return f"event: state\ndata: {as_run(found, reader).model_dump_json()}\n\n"
