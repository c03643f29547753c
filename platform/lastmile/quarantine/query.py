"""What was set aside: drops taken as a whole, and rows with their reasons, of the drops in force.

Rows of a drop that a newer one replaced are no longer in force, and what was discarded is shown only where asked for.
"""

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_PAGE = 5_000

_HERE = """
    (%(store)s::text IS NULL OR d.store = %(store)s)
    AND (%(dataset)s::text IS NULL OR d.dataset = %(dataset)s)
    AND (%(partition)s::text IS NULL OR d.partition = %(partition)s)
    AND (%(drop)s::bigint IS NULL OR d.id = %(drop)s)
    AND (%(discarded)s OR d.discarded_at IS NULL)
"""
_BROKE = """
    (%(rule)s::text IS NULL OR reason ->> 'rule' = %(rule)s)
    AND (%(column)s::text IS NULL OR reason ->> 'column' = %(column)s)
"""
_ROW = f"""
    (%(lines)s::bigint[] IS NULL OR r.line = ANY(%(lines)s))
    AND (coalesce(%(rule)s::text, %(column)s::text) IS NULL
         OR EXISTS (SELECT FROM jsonb_array_elements(r.reasons) reason WHERE {_BROKE}))
    AND (%(discarded)s OR NOT EXISTS (
        SELECT FROM quarantine.discarded unwanted WHERE unwanted.drop_id = r.drop_id AND unwanted.line = r.line))
"""
_ROWS = f"""
    quarantine.rows r JOIN ledger.drops d ON d.id = r.drop_id
    WHERE {_HERE} AND {_ROW} AND d.state IN ('loaded', 'quarantined')
"""
_DROPS = f"""
    ledger.drops d WHERE {_HERE} AND d.state IN ('quarantined', 'failed', 'missing')
    AND (coalesce(%(rule)s::text, %(column)s::text, (%(lines)s::bigint[])::text) IS NULL
         OR EXISTS (SELECT FROM quarantine.rows r WHERE r.drop_id = d.id AND {_ROW}))
"""


@dataclass(frozen=True)
class Place:
    """Which part to look at; None means all. `rule` and `column` are those of a reason, `lines` those of rows."""

    dataset: str | None = None
    partition: str | None = None
    drop: int | None = None
    rule: str | None = None
    column: str | None = None
    lines: tuple[int, ...] | None = None
    store: str | None = None
    discarded: bool = False

    @property
    def names_rows(self) -> bool:
        return (self.rule, self.column, self.lines) != (None, None, None)

    def values(self, **more: Any) -> dict[str, Any]:
        return {**asdict(self), "lines": None if self.lines is None else list(self.lines), **more}


def overview(connection: Connection, place: Place) -> list[dict[str, Any]]:
    """Rows set aside by dataset, partition and rule broken, with an example; a row may have broken several."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT d.dataset, d.partition, reason ->> 'column' AS column, reason ->> 'rule' AS rule,
                count(*) AS rows, count(DISTINCT r.drop_id) AS drops, min(reason ->> 'message') AS example
            FROM quarantine.rows r JOIN ledger.drops d ON d.id = r.drop_id, jsonb_array_elements(r.reasons) reason
            WHERE {_HERE} AND {_ROW} AND {_BROKE} AND d.state IN ('loaded', 'quarantined')
            GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 5 DESC, 3, 4
            """,
            place.values(),
        ).fetchall()


def drops(connection: Connection, place: Place, limit: int | None) -> list[dict[str, Any]]:
    """Drops of which nothing was loaded, with the reason, newest first.

    `is_unfit` marks those that no contract can take; once one can, the next listing takes them by itself.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT d.id, d.dataset, d.partition, d.key, d.version, d.size, d.modified_at, d.state, d.message,
                d.discarded_why,
                d.retake IS NOT NULL AS is_asked_for, d.state = 'failed' AND d.settled_at IS NULL AS is_unfit
            FROM {_DROPS} ORDER BY d.id DESC LIMIT %(limit)s
            """,
            place.values(limit=limit),
        ).fetchall()


def rows(connection: Connection, place: Place, limit: int) -> list[dict[str, Any]]:
    """Rows set aside, by drop and line."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_row_query("LIMIT %(limit)s"), place.values(limit=limit)).fetchall()


def stream_rows(connection: Connection, place: Place) -> Generator[list[dict[str, Any]]]:
    """All rows set aside, by drop and line, in pages of a few thousand: a million need no more memory than one page."""
    with connection.transaction(), connection.cursor("stream_rows", row_factory=dict_row) as cursor:
        cursor.execute(_row_query(), place.values())
        while page := cursor.fetchmany(_PAGE):
            yield page


def count(connection: Connection, place: Place) -> int:
    """How many rows are set aside."""
    return _number(connection, f"SELECT count(*) FROM {_ROWS}", place)


def count_drops(connection: Connection, place: Place) -> int:
    """How many drops are set aside as a whole."""
    return _number(connection, f"SELECT count(*) FROM {_DROPS}", place)


def lines(connection: Connection, place: Place, states: Sequence[str]) -> dict[int, list[int]]:
    """Lines of the rows set aside, by drop, of drops in one of these states."""
    found = connection.execute(
        f"""
        SELECT r.drop_id, array_agg(DISTINCT r.line ORDER BY r.line) FROM {_ROWS} AND d.state = ANY(%(states)s)
        GROUP BY 1
        """,
        place.values(states=list(states)),
    )
    return dict(found.fetchall())


def _row_query(end: str = "") -> str:
    return f"""
        SELECT r.drop_id, d.dataset, d.partition, d.key, r.line, r.kind, r.reasons, r.raw,
            (SELECT why FROM quarantine.discarded unwanted
             WHERE unwanted.drop_id = r.drop_id AND unwanted.line = r.line) AS discarded_why
        FROM {_ROWS} ORDER BY r.drop_id, r.line {end}
    """


def _number(connection: Connection, query: str, place: Place) -> int:
    row = connection.execute(query, place.values()).fetchone()
    return int(row[0]) if row else 0
