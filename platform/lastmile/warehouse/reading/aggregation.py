"""Measures over groups and buckets of time: `mean:hours` by `outcome` and month of `day`.

A measure is `count`, or `function:column`. Groups come in order of their buckets and values, nulls last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lastmile.errors import UserError
from lastmile.warehouse.reading.filters import named
from lastmile.warehouse.reading.relations import MOMENTS, NUMBERS, SORTABLE, Column, Relation

BUCKETS = ("hour", "day", "week", "month", "quarter", "year")
_FUNCTIONS = {
    "count": "count({})",
    "sum": "sum({})",
    "mean": "avg({})::double precision",
    "min": "min({})",
    "max": "max({})",
    "median": "percentile_cont(0.5) WITHIN GROUP (ORDER BY {})",
    "p90": "percentile_cont(0.9) WITHIN GROUP (ORDER BY {})",
    "distinct": "count(DISTINCT {})",
}
_OF_NUMBERS = frozenset({"sum", "mean", "median", "p90"})


@dataclass(frozen=True)
class Part:
    """A column of the answer: a measure, a group, or a bucket."""

    name: str
    sql: sql.Composable
    column: Column | None = None


def measure(relation: Relation, written: str) -> Part:
    """Raises UserError where it is none, or its column's type has no such thing."""
    function, _, name = written.partition(":")
    if written == "count":
        return Part("count", sql.SQL("count(*)"))
    if function not in _FUNCTIONS or not name:
        raise UserError(
            f"measure: expected count or one of {', '.join(_FUNCTIONS)} with :column; found {written!r:.200}"
        )
    column = named(relation, name)
    if function in _OF_NUMBERS and column.type not in NUMBERS:
        raise UserError(f"measure: {function} is of numbers, and {name} is {column.type}; count, distinct, min or max?")
    if function != "count" and column.type not in SORTABLE:
        raise UserError(f"measure: {name} is {column.type}, which can only be counted")
    if function in ("min", "max") and column.type in ("boolean", "uuid"):
        raise UserError(f"measure: {name} is {column.type}, which has no {function}; count or distinct?")
    return Part(f"{function}_{name}", sql.SQL(_FUNCTIONS[function]).format(column.sql), column)


def group(relation: Relation, name: str) -> Part:
    column = named(relation, name)
    if column.type not in SORTABLE:
        raise UserError(f"by: {name} is {column.type}, which has no groups")
    return Part(name, column.sql, column)


def bucket(relation: Relation, written: str) -> Part:
    """`month:column`; moments with a time zone are in UTC."""
    unit, _, name = written.partition(":")
    if unit not in BUCKETS or not name:
        raise UserError(f"bucket: expected one of {', '.join(BUCKETS)} with :column; found {written!r:.200}")
    column = named(relation, name)
    if column.type not in MOMENTS:
        raise UserError(f"bucket: {name} is {column.type}, not a day or a moment")
    return Part(f"{unit}_{name}", truncated(unit, column.sql, column.type), column)


def truncated(unit: str, moment: sql.Composable, kind: str) -> sql.Composable:
    if kind == "timestamp with time zone":
        moment = sql.SQL("({} AT TIME ZONE 'UTC')").format(moment)
    begun = sql.SQL("date_trunc({}, {}::timestamp)").format(sql.Literal(unit), moment)
    return begun if unit == "hour" else sql.SQL("{}::date").format(begun)


def aggregated(
    connection: Connection,
    relation: Relation,
    groups: Sequence[Part],
    measures: Sequence[Part],
    where: sql.Composable,
    limit: int,
) -> tuple[list[dict[str, Any]], bool]:
    """A row for each group, `limit` at most, and whether there are more."""
    names = [one.name for one in (*groups, *measures)]
    if len(set(names)) < len(names):
        raise UserError(f"each measure, group and bucket once; found {', '.join(names)}")
    numbers = sql.SQL(", ").join(sql.Literal(number + 1) for number in range(len(groups)))
    query = sql.SQL("SELECT {} FROM {} AS t WHERE {}{} LIMIT {}").format(
        sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(one.sql, sql.Identifier(one.name)) for one in (*groups, *measures)
        ),
        relation.source,
        where,
        sql.SQL(" GROUP BY {0} ORDER BY {0}").format(numbers) if groups else sql.SQL(""),
        sql.Literal(limit + 1),
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query).fetchall()
    return rows[:limit], len(rows) > limit
