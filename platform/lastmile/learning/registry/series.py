"""Predictions, performance and drift over the partitions of models, for charts; nothing of a model is loaded."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

#: Description, measure and table.
METRICS: Mapping[str, tuple[str, str, str]] = {
    "predictions": (
        "Predictions by the champion (predictions).",
        "sum((SELECT sum(count::bigint) FROM jsonb_each_text(rows) AS by_level (level, count)))",
        "registry.predictions",
    ),
    "performance": (
        "Score of the version in use on labels that it had not seen, in the model's own metric.",
        "avg(score)",
        "registry.monitoring",
    ),
    "drift": ("Inputs that drifted (inputs).", "sum(cardinality(drifted))", "registry.monitoring"),
}


def series(
    connection: Connection,
    metric: str,
    bucket: str,
    start: datetime | None,
    end: datetime | None,
    by_model: bool,
) -> list[dict[str, Any]]:
    """Rows of `time`, `value` and, by model, `group`; in order of time, which is that of the partitions."""
    _, measure, table = METRICS[metric]
    group = "name" if by_model else "NULL::text"
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT date_trunc(%(bucket)s, partition_start::timestamp)::date AS time, {group} AS group,
                ({measure})::double precision AS value
            FROM {table} WHERE (%(start)s::timestamptz IS NULL OR partition_start >= %(start)s::timestamptz)
                AND (%(end)s::timestamptz IS NULL OR partition_start < %(end)s::timestamptz)
            GROUP BY 1, 2 ORDER BY 1, 2
            """,
            {"bucket": bucket, "start": start, "end": end},
        ).fetchall()
