"""A job as it is shown: to who may see it, and without the personal values of its violations."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Depends, HTTPException
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from lastmile.access.principal import Principal
from lastmile.ingestion.submissions import jobs
from lastmile.ingestion.submissions.jobs import Job, RecordState, State
from lastmile.ingestion.submissions.submission import Kind
from lastmile.serving.door.permission import demand
from lastmile.serving.intake.submitted import Violation
from lastmile.serving.schemas import Rows
from lastmile.serving.state import Serving


class ShownJob(BaseModel):
    """What was sent, and how it stands."""

    id: UUID
    place: int = Field(description="order of acceptance")
    kind: Kind
    dataset: str
    partition: str
    by: str = Field(description="who sent it")
    created_at: datetime
    state: State = Field(
        description="`accepted`: durable; `landed`: in the landing area; `discovered`: waits for a run; `running`; then"
        " what became of it. Of several records: the earliest of these, else `loaded` where any row is"
    )
    settled: bool = Field(description="nothing more happens to it by itself")
    records: int = Field(description="that were sent; none for a file")
    bytes: int
    key: str | None = Field(description="of a file in the landing area")
    drop: int | None = Field(description="in /drops; of several, the last")
    run_id: str | None = Field(description="of the run that ingests it")
    message: str | None
    rows: Rows


class ShownRecord(BaseModel):
    id: int
    dataset: str
    partition: str
    record: str = Field(description="its `_id`, or one that it was given")
    revision: int | None
    state: State
    drop: int | None
    line: int | None = Field(description="of its drop")
    message: str | None
    violations: list[Violation]


class JobWithRecords(ShownJob):
    """A job, and what became of each of its records, page by page."""

    found: list[ShownRecord] = Field(description="in order of acceptance")
    after: int | None = Field(description="requests the next page of records; null where this is the last one")


async def follower(connection: HTTPConnection) -> Principal:
    """Who may read follows every job; who may only upload, their own."""
    principal: Principal | None = connection.scope.get("principal")
    return demand(principal, "read" if principal and principal.may("read") else "upload")


follower.permission = "read|upload"  # type: ignore[attr-defined]  # see `demanded_by`
Follower = Annotated[Principal, Depends(follower)]


def only_of(principal: Principal) -> str | None:
    """The only principal whose jobs are shown; None: all."""
    return None if principal.may("read") else principal.name


def found_job(here: Serving, job: UUID, principal: Principal) -> Job:
    """Raises HTTPException (404)."""
    with here.reading() as connection:
        found = jobs.find(connection, job, only_of(principal))
    if found is None:
        raise HTTPException(404, f"there is no job {job} of yours; GET /api/v1/jobs lists those there are")
    return found


def shown(job: Job) -> ShownJob:
    return ShownJob(
        id=job.id,
        place=job.place,
        kind=job.kind,
        dataset=job.dataset,
        partition=job.partition,
        by=job.principal,
        created_at=job.created_at,
        state=job.state,
        settled=job.is_settled,
        records=job.records,
        bytes=job.bytes,
        key=job.key,
        drop=job.drop_id,
        run_id=job.run_id,
        message=job.message,
        rows=Rows(
            read=job.rows_read, loaded=job.rows_loaded, quarantined=job.rows_quarantined, duplicate=job.rows_duplicate
        ),
    )


def shown_record(record: RecordState, masked: Collection[str]) -> ShownRecord:
    return ShownRecord(
        id=record.id,
        dataset=record.dataset,
        partition=record.partition,
        record=record.record,
        revision=record.revision,
        state=record.state,
        drop=record.drop_id,
        line=record.line,
        message=record.message,
        violations=[violation(one, masked) for one in record.reasons or ()],
    )


def violation(reason: dict[str, Any], masked: Collection[str]) -> Violation:
    """Without what was found, where that may be of a column that is masked: a rule on the row shows several."""
    column, message = cast("str | None", reason.get("column")), str(reason["message"])
    if masked and (column is None or column in masked):
        message = message.partition("; found")[0]
    return Violation(column=column, rule=str(reason["rule"]), message=message)


def masked_for(here: Serving, principal: Principal) -> Collection[str]:
    return () if principal.may("personal") else here.catalogue().personal
