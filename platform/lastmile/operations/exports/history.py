"""What was exported when: a row for each time."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row


@dataclass(frozen=True)
class Exported:
    """`replaced` and `removed` are windows; rows and bytes those that were sent; `watermark` says what is there now."""

    export: str
    target: str
    replaced: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    rows: int
    bytes: int
    rows_at_target: int
    watermark: str
    seconds: float = 0.0


def record(connection: Connection, done: Exported, run_id: str | None) -> None:
    row = {**asdict(done), "replaced": list(done.replaced), "removed": list(done.removed), "run_id": run_id}
    connection.execute(
        "INSERT INTO operations.exported (export, target, replaced, removed, unchanged, rows, bytes, rows_at_target,"
        " watermark, seconds, run_id)"
        " VALUES (%(export)s, %(target)s, %(replaced)s, %(removed)s, %(unchanged)s, %(rows)s, %(bytes)s,"
        " %(rows_at_target)s, %(watermark)s, %(seconds)s, %(run_id)s)",
        row,
    )


def newest(connection: Connection) -> dict[str, dict[str, Any]]:
    """Of each export the last time."""
    return {
        row["export"]: row for row in _rows(connection, "SELECT DISTINCT ON (export) *", "ORDER BY export, id DESC")
    }


def times(connection: Connection, export: str, most: int) -> Sequence[dict[str, Any]]:
    """The newest first."""
    return _rows(
        connection,
        "SELECT *",
        "WHERE export = %(export)s ORDER BY id DESC LIMIT %(most)s",
        {"export": export, "most": most},
    )


def _rows(connection: Connection, select: str, tail: str, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f"{select} FROM operations.exported {tail}".encode(), values).fetchall()
