"""The history of sources: a row for each run, also of those that failed or were killed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import dict_row

State = Literal["landed", "nothing new", "failed"]


@dataclass
class Ran:
    """A run of a source: what it fetched, and what happened on the way, a sentence each."""

    state: State = "failed"
    fetch: int | None = None
    requests: int = 0
    records: int = 0
    repeated: int = 0
    bytes: int = 0
    cursor_from: str | None = None
    cursor_to: str | None = None
    events: list[str] = field(default_factory=list)
    message: str | None = None
    #: The object that it landed.
    key: str | None = None
    partition: str | None = None


def begin(connection: Connection, source: str, run_id: str | None) -> int:
    """The run's number. Who begins one holds the lock of the source, so others that still run were killed."""
    connection.execute(
        """
        UPDATE sources.runs SET state = 'failed', ended_at = clock_timestamp(), message = 'it was killed'
        WHERE source = %s AND state = 'running'
        """,
        [source],
    )
    row = connection.execute(
        "INSERT INTO sources.runs (source, run_id) VALUES (%s, %s) RETURNING id", [source, run_id]
    ).fetchone()
    return int(row[0]) if row else 0


def note(connection: Connection, number: int, events: Sequence[str]) -> None:
    """What happened so far, while it is at work."""
    connection.execute("UPDATE sources.runs SET events = %s WHERE id = %s", [list(events), number])


def end(connection: Connection, number: int, ran: Ran) -> None:
    connection.execute(
        """
        UPDATE sources.runs
        SET state = %(state)s, ended_at = clock_timestamp(), fetch_id = %(fetch)s, requests = %(requests)s,
            records = %(records)s, repeated = %(repeated)s, bytes = %(bytes)s, cursor_from = %(cursor_from)s,
            cursor_to = %(cursor_to)s, events = %(events)s, message = %(message)s
        WHERE id = %(number)s
        """,
        {**vars(ran), "number": number},
    )


def forget_same(connection: Connection, source: str, number: int) -> None:
    """The run before this one, where both failed for the same reason: one that is tried again and again is one row."""
    connection.execute(
        """
        DELETE FROM sources.runs WHERE source = %(source)s AND state = 'failed'
          AND id = (SELECT max(id) FROM sources.runs WHERE source = %(source)s AND id < %(number)s)
          AND message = (SELECT message FROM sources.runs WHERE id = %(number)s)
        """,
        {"source": source, "number": number},
    )


def newest(connection: Connection) -> dict[str, dict[str, Any]]:
    """Of each source the last run."""
    return {
        row["source"]: row
        for row in _rows(connection, "SELECT DISTINCT ON (source) * FROM sources.runs ORDER BY source, id DESC", [])
    }


def times(connection: Connection, source: str, most: int) -> list[dict[str, Any]]:
    """The newest first."""
    return _rows(connection, "SELECT * FROM sources.runs WHERE source = %s ORDER BY id DESC LIMIT %s", [source, most])


def landed_times(connection: Connection, source: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The last run that landed records, and the one before it that did."""
    query = "SELECT * FROM sources.runs WHERE source = %s AND state = 'landed' ORDER BY id DESC LIMIT 2"
    found = [*_rows(connection, query, [source]), None, None]
    return found[0], found[1]


def _rows(connection: Connection, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()
