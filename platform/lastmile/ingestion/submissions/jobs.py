"""Jobs: by what name a submission is followed, and what became of it, as its drops say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.ingestion.submissions.accepting import accept
from lastmile.ingestion.submissions.submission import Accepted, Kind, Submission

State = Literal[
    "accepted",  # durable, not in the landing area yet
    "landed",  # there, not discovered yet
    "discovered",
    "running",
    "loaded",
    "quarantined",
    "duplicate",
    "failed",
    "missing",
    "superseded",  # a newer revision or version came in its place
    "withdrawn",
]
STATES: tuple[State, ...] = get_args(State)
#: Nothing more happens to a job, unless a person or a newer submission makes it.
UNSETTLED = ("accepted", "landed", "discovered", "running")


@dataclass(frozen=True)
class Job:
    """A submission and how it stands. The rows are those of its drop, or of its own records."""

    id: UUID
    place: int
    kind: Kind
    dataset: str
    partition: str
    principal: str
    created_at: datetime
    records: int
    bytes: int
    key: str | None
    state: State
    drop_id: int | None
    run_id: str | None
    message: str | None
    rows_read: int
    rows_loaded: int
    rows_quarantined: int
    rows_duplicate: int

    @property
    def is_settled(self) -> bool:
        return self.state not in UNSETTLED


@dataclass(frozen=True)
class RecordState:
    """What became of one record; `reasons` are those of its quarantined row."""

    id: int
    dataset: str
    partition: str
    record: str
    revision: int | None
    state: State
    key: str | None
    line: int | None
    drop_id: int | None
    message: str | None
    reasons: list[dict[str, Any]] | None


@dataclass(frozen=True)
class JobFilter:
    """Which jobs to show; None means all."""

    dataset: str | None = None
    kind: Kind | None = None
    state: State | None = None
    principal: str | None = None
    since: datetime | None = None


_COLUMNS = ", ".join(Job.__dataclass_fields__)
_RECORD_COLUMNS = ", ".join(RecordState.__dataclass_fields__)


def find(connection: Connection, job: UUID, principal: str | None = None) -> Job | None:
    """The job; None where there is none, or none of this principal."""
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM submissions.job_states"
            " WHERE id = %(job)s AND (%(principal)s::text IS NULL OR principal = %(principal)s)",
            {"job": job, "principal": principal},
        ).fetchone()


def page(connection: Connection, wanted: JobFilter, limit: int, after: int | None) -> list[Job]:
    """The newest jobs, or those before the place `after`."""
    values = {**vars(wanted), "limit": limit, "after": after}
    with connection.cursor(row_factory=class_row(Job)) as cursor:
        return cursor.execute(
            f"""
            SELECT {_COLUMNS} FROM submissions.job_states
            WHERE (%(after)s::bigint IS NULL OR place < %(after)s)
                AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)
                AND (%(kind)s::text IS NULL OR kind = %(kind)s)
                AND (%(state)s::text IS NULL OR state = %(state)s)
                AND (%(principal)s::text IS NULL OR principal = %(principal)s)
                AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
            ORDER BY place DESC LIMIT %(limit)s
            """,
            values,
        ).fetchall()


def records_of(connection: Connection, job: UUID, limit: int, after: int = 0) -> list[RecordState]:
    """What became of the job's records, in order of acceptance, from behind the id `after` on."""
    with connection.cursor(row_factory=class_row(RecordState)) as cursor:
        return cursor.execute(
            f"""
            SELECT {_RECORD_COLUMNS} FROM submissions.record_states r
            WHERE (job = %(job)s OR id = ANY(
                (SELECT repeated FROM submissions.jobs WHERE id = %(job)s)::bigint[]
            )) AND id > %(after)s ORDER BY id LIMIT %(limit)s
            """,
            {"job": job, "after": after, "limit": limit},
        ).fetchall()


def begin_file(connection: Connection, file: Submission, store: str, key: str, sha256: str | None) -> Accepted:
    """The job of a file that is about to land under `key`; of one sent before, the job that it had then."""
    (accepted,) = accept(connection, [file])
    if not (accepted.replayed or accepted.conflicting):
        connection.execute(
            "UPDATE submissions.jobs SET store = %s, key = %s, sha256 = %s WHERE id = %s",
            [store, key, sha256, accepted.job],
        )
    return accepted


def has_landed(connection: Connection, job: UUID) -> bool:
    row = connection.execute("SELECT version FROM submissions.jobs WHERE id = %s", [job]).fetchone()
    return bool(row and row[0])


def land(connection: Connection, job: UUID, version: str) -> None:
    """The file of a job lies in the landing area, as this version."""
    connection.execute("UPDATE submissions.jobs SET version = %s WHERE id = %s", [version, job])


def forget(connection: Connection, job: UUID) -> None:
    """A file of which nobody was answered that it would land, and that did not."""
    connection.execute("DELETE FROM submissions.jobs WHERE id = %s AND kind = 'file' AND version IS NULL", [job])
