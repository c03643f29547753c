"""Measures that dbt's semantic models declare, over time: an aggregate of an expression of SQL, as dbt writes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lastmile.errors import UserError
from lastmile.warehouse.reading.aggregation import truncated
from lastmile.warehouse.reading.filters import named
from lastmile.warehouse.reading.relations import MOMENTS, SORTABLE, Relation

_AGGREGATES = {
    "count": "count({})",
    "count_distinct": "count(DISTINCT {})",
    "sum": "sum({})",
    "sum_boolean": "count(*) FILTER (WHERE {})",
    "average": "avg({})",
    "min": "min({})",
    "max": "max({})",
    "median": "percentile_cont(0.5) WITHIN GROUP (ORDER BY {})",
}


@dataclass(frozen=True)
class Measure:
    """`expression` is SQL of the project's own files, as trusted as its models."""

    aggregate: str
    expression: str
    time: str


def over_time(
    connection: Connection,
    relation: Relation,
    measure: Measure,
    bucket: str,
    start: datetime | None,
    end: datetime | None,
    by: str | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Rows of `time`, `group` and `value`, in order of time. Raises UserError where it cannot be computed."""
    time = named(relation, measure.time)
    if time.type not in MOMENTS or measure.aggregate not in _AGGREGATES:
        known = ", ".join(_AGGREGATES)
        raise UserError(
            f"a metric is one of {known} over a day or moment; this is {measure.aggregate} over {time.type}"
        )
    group = named(relation, by) if by else None
    if group and group.type not in SORTABLE:
        raise UserError(f"by: {by} is {group.type}, which has no groups")
    bounds = [
        sql.SQL("{} {} {}").format(time.value, sql.SQL(op), sql.Literal(moment))
        for op, moment in ((">=", start), ("<", end))
        if moment is not None
    ]
    query = sql.SQL(
        "SELECT {} AS time, {} AS group, ({})::double precision AS value FROM {} AS t WHERE {} GROUP BY 1, 2"
        " ORDER BY 1, 2 LIMIT {}"
    ).format(
        truncated(bucket, time.value, time.type),
        sql.SQL("{}::text").format(group.value) if group else sql.SQL("NULL::text"),
        sql.SQL(_AGGREGATES[measure.aggregate]).format(sql.SQL(measure.expression)),
        relation.source,
        sql.SQL(" AND ").join([sql.SQL("{} IS NOT NULL").format(time.value), *bounds]),
        sql.Literal(limit),
    )
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query).fetchall()
