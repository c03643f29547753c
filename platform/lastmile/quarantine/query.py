"""What is quarantined: whole drops, and rows with their reasons, of the drops in force.

Rows of a drop that a newer version replaced are no longer in force; what was discarded is included on request only.
What counts as in force and undecided is defined by the views `quarantine.rows_in_force`, `undecided_rows` and `drops`.
"""

from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import class_row, dict_row

_PAGE = 5_000

_WITHIN = """
    (%(store)s::text IS NULL OR store = %(store)s)
    AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)
    AND (%(partition)s::text IS NULL OR partition = %(partition)s)
    AND (%(discarded)s OR NOT is_discarded)
"""
_BROKE = """
    (%(rule)s::text IS NULL OR reason ->> 'rule' = %(rule)s)
    AND (%(column)s::text IS NULL OR reason ->> 'column' = %(column)s)
"""
_ROWS = f"""
    quarantine.rows_in_force r
    WHERE {_WITHIN} AND (%(drop)s::bigint IS NULL OR drop_id = %(drop)s)
    AND (%(lines)s::bigint[] IS NULL OR line = ANY(%(lines)s))
    AND (coalesce(%(rule)s::text, %(column)s::text) IS NULL
         OR EXISTS (SELECT FROM jsonb_array_elements(reasons) reason WHERE {_BROKE}))
"""
_DROPS = f"""
    quarantine.drops d WHERE {_WITHIN} AND (%(drop)s::bigint IS NULL OR id = %(drop)s)
    AND (coalesce(%(rule)s::text, %(column)s::text, (%(lines)s::bigint[])::text) IS NULL
         OR EXISTS (SELECT FROM {_ROWS} AND r.drop_id = d.id))
"""
Bucket = Literal["day", "week", "month", "year", "partition"]
_BUCKET = """
    CASE %(bucket)s WHEN 'partition' THEN partition ELSE date_trunc(%(bucket)s, at AT TIME ZONE 'UTC')::date::text END
"""
_ROW_QUERY = f"""
    SELECT drop_id, dataset, partition, key, line, kind, reasons, raw, discarded_why
    FROM {_ROWS}
"""
_ORDER = "ORDER BY drop_id, line, kind"
#: Drop, line and kind of a row, by which the rows after it are found.
Place = tuple[int, int, str]


@dataclass(frozen=True)
class Selection:
    """A part of what is quarantined; None means all. `rule` and `column` are those of a reason, `lines` of rows."""

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
        """True where single rows are selected, so that no drop is meant whole."""
        return (self.rule, self.column, self.lines) != (None, None, None)

    def values(self, **more: Any) -> dict[str, Any]:
        return {**asdict(self), "lines": None if self.lines is None else list(self.lines), **more}


@dataclass(frozen=True)
class Totals:
    """How much is quarantined, and why it is not one number.

    `rows` broke the contract in drops whose other rows are loaded, and `drops` are those of which nothing is loaded;
    without what was discarded, these are what `lastmile status` calls undecided. `rows_of_drops` broke the contract in
    drops quarantined whole; that none of their other rows is loaded either is not their fault, so they are not listed.
    `duplicates` broke nothing: their first occurrence is loaded.
    """

    rows: int
    duplicates: int
    rows_of_drops: int
    drops: int

    @property
    def listed(self) -> int:
        """All rows that `rows` gives."""
        return self.rows + self.duplicates + self.rows_of_drops

    def __str__(self) -> str:
        whole = f"{self.drops:,} whole drop{'s' * (self.drops != 1)}"
        with_rows = f" with {self.rows_of_drops:,} bad row{'s' * (self.rows_of_drops != 1)}" if self.drops else ""
        duplicates = f", {self.duplicates:,} duplicate{'s' * (self.duplicates != 1)}" if self.duplicates else ""
        return f"{self.rows:,} row{'s' * (self.rows != 1)} and {whole}{with_rows}{duplicates}"


def totals(connection: Connection, selection: Selection) -> Totals:
    """How much of the selection is quarantined."""
    with connection.cursor(row_factory=class_row(Totals)) as cursor:
        return cursor.execute(
            f"""
            SELECT count(*) FILTER (WHERE state = 'loaded' AND kind = 'bad') AS rows,
                count(*) FILTER (WHERE state = 'loaded' AND kind = 'duplicate') AS duplicates,
                count(*) FILTER (WHERE state = 'quarantined') AS rows_of_drops,
                (SELECT count(*) FROM {_DROPS}) AS drops
            FROM {_ROWS}
            """,
            selection.values(),
        ).fetchall()[0]


def overview(connection: Connection, selection: Selection) -> list[dict[str, Any]]:
    """Quarantined rows by dataset, partition and rule broken, with an example; a row may have broken several."""
    return _fetch(
        connection,
        f"""
        SELECT dataset, partition, reason ->> 'column' AS column, reason ->> 'rule' AS rule,
            count(*) AS rows, count(DISTINCT drop_id) AS drops, min(reason ->> 'message') AS example
        FROM (SELECT * FROM {_ROWS}) selected, jsonb_array_elements(reasons) reason
        WHERE {_BROKE} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 5 DESC, 3, 4
        """,
        selection.values(),
    )


def over_time(
    connection: Connection,
    selection: Selection,
    bucket: Bucket,
    first: date | None,
    last: date | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Rows that broke a rule, by the time they were quarantined at or by their partition, with what was discarded.

    Columns bucket, dataset, column, rule, rows, drops; the newest bucket first, then what most rows broke.
    """
    return _fetch(
        connection,
        f"""
        SELECT {_BUCKET} AS bucket, dataset, reason ->> 'column' AS column, reason ->> 'rule' AS rule,
            count(*) AS rows, count(DISTINCT drop_id) AS drops
        FROM (SELECT * FROM {_ROWS} AND kind = 'bad'
                AND (%(first)s::date IS NULL OR at >= %(first)s::date::timestamp AT TIME ZONE 'UTC')
                AND (%(last)s::date IS NULL OR at < (%(last)s::date + 1)::timestamp AT TIME ZONE 'UTC')) selected,
            jsonb_array_elements(reasons) reason
        WHERE {_BROKE} GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC, 5 DESC, 2, 3, 4 LIMIT %(limit)s
        """,
        selection.values(bucket=bucket, first=first, last=last, limit=limit),
    )


def most_broken(connection: Connection, store: str, datasets: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """The rules that most undecided rows broke over all partitions: dataset, column, rule, rows, drops, example."""
    return _fetch(
        connection,
        """
        SELECT dataset, reason ->> 'column' AS column, reason ->> 'rule' AS rule, count(*) AS rows,
            count(DISTINCT drop_id) AS drops, min(reason ->> 'message') AS example
        FROM quarantine.undecided_rows, jsonb_array_elements(reasons) AS reason
        WHERE store = %(store)s AND dataset = ANY(%(datasets)s)
        GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT %(limit)s
        """,
        {"store": store, "datasets": list(datasets), "limit": limit},
    )


def drops(
    connection: Connection, selection: Selection, limit: int | None, before: int | None = None
) -> list[dict[str, Any]]:
    """Drops of which nothing was loaded, with the reason, newest first; only those older than the drop `before`.

    `is_unfit` marks those that no contract fits; once one does, the next listing ingests them by itself.
    """
    return _fetch(
        connection,
        f"""
        SELECT id, dataset, partition, key, version, size, modified_at, state, message, discarded_why, is_requested,
            is_unfit
        FROM {_DROPS} AND (%(before)s::bigint IS NULL OR id < %(before)s) ORDER BY id DESC LIMIT %(limit)s
        """,
        selection.values(limit=limit, before=before),
    )


def rows(connection: Connection, selection: Selection, limit: int, after: Place | None = None) -> list[dict[str, Any]]:
    """Quarantined rows, by drop and line, from the one `after` that place on."""
    following = "AND (drop_id, line, kind) > (%(after_drop)s, %(after_line)s, %(after_kind)s)" if after else ""
    values = dict(zip(("after_drop", "after_line", "after_kind"), after or (), strict=False))
    query = f"{_ROW_QUERY} {following} {_ORDER} LIMIT %(limit)s"
    return _fetch(connection, query, selection.values(limit=limit, **values))


def stream_rows(connection: Connection, selection: Selection) -> Generator[list[dict[str, Any]]]:
    """All quarantined rows, by drop and line, in pages of a few thousand: a million need the memory of one page."""
    with connection.transaction(), connection.cursor("stream_rows", row_factory=dict_row) as cursor:
        cursor.execute(f"{_ROW_QUERY} {_ORDER}", selection.values())
        while page := cursor.fetchmany(_PAGE):
            yield page


def lines(connection: Connection, selection: Selection, states: Sequence[str]) -> dict[int, list[int]]:
    """Lines of quarantined rows, by drop, of drops in one of these states."""
    found = connection.execute(
        f"""
        SELECT drop_id, array_agg(DISTINCT line ORDER BY line) FROM {_ROWS} AND state = ANY(%(states)s) GROUP BY 1
        """,
        selection.values(states=list(states)),
    )
    return dict(found.fetchall())


def discarded_rows(connection: Connection, store: str, dataset: str, partition: str) -> int:
    """Number of quarantined rows that were discarded."""
    selection = Selection(dataset, partition, store=store, discarded=True)
    return _number(connection, f"SELECT count(*) FROM {_ROWS} AND is_discarded", selection)


def with_undecided_rows(connection: Connection, drop_ids: Sequence[int]) -> set[int]:
    """Those of these drops that have broken rows which are neither released nor discarded."""
    found = connection.execute(
        "SELECT DISTINCT drop_id FROM quarantine.undecided_rows WHERE drop_id = ANY(%s) AND kind = 'bad'",
        [list(drop_ids)],
    ).fetchall()
    return {drop_id for (drop_id,) in found}


def undecided_bad_rows(connection: Connection, drop_ids: Sequence[int]) -> dict[int, int]:
    """Number of broken rows, neither released nor discarded, of those of these drops that have any."""
    found = connection.execute(
        "SELECT drop_id, count(*) FROM quarantine.undecided_rows WHERE drop_id = ANY(%s) AND kind = 'bad' GROUP BY 1",
        [list(drop_ids)],
    ).fetchall()
    return dict(found)


def _fetch(connection: Connection, query: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()


def _number(connection: Connection, query: str, selection: Selection) -> int:
    row = connection.execute(query, selection.values()).fetchone()
    return int(row[0]) if row else 0
