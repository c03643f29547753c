"""What was backed up, how far the log is archived, and how drills went: for `status`, alerts, metrics and people."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lastmile.errors import UserError

_DIED = "it was ended before it was complete"


@dataclass
class Attempt:
    """What is known of a backup when it ends."""

    bytes: int = 0
    stored_bytes: int = 0
    objects: int = 0
    object_bytes: int = 0


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """One backup at a time. Raises UserError while another is under way."""
    with _locked(connection, "backup", wait=False) as free:
        if not free:
            raise UserError("another backup is under way; wait until it is done")
        yield


@contextmanager
def objects_alone(connection: Connection) -> Iterator[None]:
    """Objects are copied, and removed from backups, by one process at a time; waits for it."""
    with _locked(connection, "objects of backups", wait=True):
        yield


@contextmanager
def recorded(connection: Connection, backup_id: str, kind: str, parent: str | None) -> Iterator[Attempt]:
    """The row of a backup: begun now, ended with the block, with the error where there is one."""
    connection.execute("UPDATE operations.backups SET ended_at = now(), error = %s WHERE ended_at IS NULL", [_DIED])
    connection.execute(
        "INSERT INTO operations.backups (id, kind, parent) VALUES (%s, %s, %s)", [backup_id, kind, parent]
    )
    attempt, error = Attempt(), None
    try:
        yield attempt
    except BaseException as raised:
        error = str(raised) or type(raised).__name__
        raise
    finally:
        if not connection.closed:
            connection.execute(
                """
                UPDATE operations.backups SET ended_at = clock_timestamp(), error = %s,
                    bytes = %s, stored_bytes = %s, objects = %s, object_bytes = %s WHERE id = %s
                """,
                [error, attempt.bytes, attempt.stored_bytes, attempt.objects, attempt.object_bytes, backup_id],
            )


def record_archive(
    connection: Connection, archived_to: str, objects_at: datetime | None, spooled_bytes: int, problem: str | None
) -> None:
    """How far the log is archived, and what keeps it from going on."""
    connection.execute(
        """
        INSERT INTO operations.log_archive AS a
            (archived_at, archived_to, objects_at, spooled_bytes, problem, problem_since)
        VALUES (now(), %(to)s, %(objects)s, %(spooled)s, %(problem)s,
                CASE WHEN %(problem)s::text IS NOT NULL THEN now() END)
        ON CONFLICT (only_one) DO UPDATE SET
            archived_at = CASE WHEN %(problem)s::text IS NULL THEN now() ELSE a.archived_at END,
            archived_to = excluded.archived_to, spooled_bytes = excluded.spooled_bytes,
            objects_at = coalesce(excluded.objects_at, a.objects_at), problem = excluded.problem,
            problem_since = CASE WHEN %(problem)s::text IS NULL THEN NULL ELSE coalesce(a.problem_since, now()) END
        """,
        {"to": archived_to, "objects": objects_at, "spooled": spooled_bytes, "problem": problem},
    )


def archive(connection: Connection) -> dict[str, Any] | None:
    """How far the log is archived: archived_at, archived_to, objects_at, spooled_bytes, problem, problem_since."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT archived_at, archived_to::text, objects_at, spooled_bytes, problem, problem_since"
            " FROM operations.log_archive"
        ).fetchone()


def newest(connection: Connection) -> dict[str, Any] | None:
    """The last backup that was complete: id, kind, started_at, ended_at, bytes, stored_bytes."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, kind, started_at, ended_at, bytes, stored_bytes FROM operations.backups"
            " WHERE ended_at IS NOT NULL AND error IS NULL ORDER BY ended_at DESC LIMIT 1"
        ).fetchone()


def attempts(connection: Connection, most: int = 20) -> list[dict[str, Any]]:
    """The last backups that were attempted, the newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM operations.backups ORDER BY started_at DESC LIMIT %s", [most]).fetchall()


def record_drill(connection: Connection, drill: dict[str, Any]) -> None:
    """How a restore drill went."""
    connection.execute(
        """
        INSERT INTO operations.drills
            (started_at, ended_at, backup, target, recovered_to, bytes, objects, rpo_seconds, rto_seconds, faults,
             error)
        VALUES (%(started_at)s, now(), %(backup)s, %(target)s, %(recovered_to)s, %(bytes)s, %(objects)s,
                %(rpo_seconds)s, %(rto_seconds)s, %(faults)s, %(error)s)
        """,
        drill,
    )


def drills(connection: Connection, most: int = 20) -> list[dict[str, Any]]:
    """The last restore drills, the newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM operations.drills ORDER BY id DESC LIMIT %s", [most]).fetchall()


@contextmanager
def _locked(connection: Connection, name: str, *, wait: bool) -> Iterator[bool]:
    """An advisory lock that goes with the session, so that a killed process holds nothing."""
    lock = "(hashtextextended(%s, 31))"
    if wait:
        connection.execute(f"SELECT pg_advisory_lock{lock}", [name])
        free = True
    else:
        ((free,),) = connection.execute(f"SELECT pg_try_advisory_lock{lock}", [name]).fetchall()
    try:
        yield bool(free)
    finally:
        if free and not connection.closed:
            connection.execute(f"SELECT pg_advisory_unlock{lock}", [name])
