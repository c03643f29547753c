"""What the columns of a relation hold: of all rows, or of a sample where there are many."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from lastmile.warehouse.reading.relations import MOMENTS, NUMBERS, SORTABLE, TEXTS, Column, Relation

#: A relation estimated to have more rows is sampled, by whole pages of the table.
MOST_ROWS = 200_000
#: A text with so few different values is one of levels, which are listed.
MOST_LEVELS = 30


@dataclass(frozen=True)
class ColumnStatistics:
    """Null where the type has no such thing. `distinct` and `levels` are of the rows that were looked at."""

    nulls: float | None
    distinct: int | None = None
    min: Any = None
    max: Any = None
    mean: Any = None
    median: Any = None
    levels: dict[str, int] | None = None


@dataclass(frozen=True)
class Statistics:
    rows: int
    is_estimate: bool
    looked_at: int
    columns: dict[str, ColumnStatistics]


def statistics(connection: Connection, relation: Relation, hidden: Collection[str] = ()) -> Statistics:
    """Of hidden columns only how often they are null."""
    sampled = relation.is_stored and relation.rows > MOST_ROWS
    source = relation.source
    if sampled:
        share = sql.Literal(100 * MOST_ROWS / relation.rows)
        source = sql.SQL("(SELECT * FROM {} TABLESAMPLE SYSTEM ({}) REPEATABLE (1))").format(source, share)
    with connection.transaction():
        (looked_at,) = connection.execute(sql.SQL("SELECT count(*) FROM {} AS t").format(source)).fetchone() or (0,)
        columns = {
            name: _column(connection, source, one, looked_at, name in hidden) for name, one in relation.columns.items()
        }
    return Statistics(relation.rows if sampled else looked_at, sampled, looked_at, columns)


def _column(
    connection: Connection, source: sql.Composable, column: Column, rows: int, is_hidden: bool
) -> ColumnStatistics:
    wanted = {"present": "count({0})"}
    if not is_hidden and column.type in SORTABLE:
        wanted["distinct"] = "count(DISTINCT {0})"
        if column.type in NUMBERS:
            wanted |= {"min": "min({0})", "max": "max({0})", "mean": "avg({0})::double precision"}
            wanted["median"] = "percentile_cont(0.5) WITHIN GROUP (ORDER BY {0})"
        elif column.type in MOMENTS:
            wanted |= {"min": "min({0})", "max": "max({0})"}
            wanted["median"] = "percentile_disc(0.5) WITHIN GROUP (ORDER BY {0})"
    query = sql.SQL("SELECT {} FROM {} AS t").format(
        sql.SQL(", ").join(sql.SQL(one).format(column.sql) for one in wanted.values()), source
    )
    found = dict(zip(wanted, connection.execute(query).fetchone() or (), strict=False))
    nulls = 1 - found.pop("present") / rows if rows else None
    levels = None
    if not is_hidden and column.type in (*TEXTS, "boolean") and 0 < found.get("distinct", 0) <= MOST_LEVELS:
        levels = _levels(connection, source, column)
    return ColumnStatistics(nulls, levels=levels, **found)


def _levels(connection: Connection, source: sql.Composable, column: Column) -> dict[str, int]:
    query = sql.SQL("SELECT {0}::text, count(*) FROM {1} AS t WHERE {0} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1")
    return dict(connection.execute(query.format(column.sql, source)).fetchall())
