"""Predictions by the day (UTC) on which they were made, by level."""

from datetime import date
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_PREDICTED = """
    SELECT name AS model, partition_start, model_version AS version, level, count::bigint AS predictions
    FROM registry.predictions, jsonb_each_text(rows) AS by_level (level, count)
    WHERE (predicted_at AT TIME ZONE 'UTC')::date = %s
"""
_ANSWERED = """
    SELECT model, version, coalesce(output ->> 'level', 'value') AS level, count(*) AS answers
    FROM registry.answers
    WHERE at >= %(day)s::date::timestamp AT TIME ZONE 'UTC' AND at < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
    GROUP BY 1, 2, 3
"""


def predicted(connection: Connection, day: date) -> list[dict[str, Any]]:
    """Partitions whose newest predictions were made on that day."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_PREDICTED, [day]).fetchall()


def answered(connection: Connection, day: date) -> list[dict[str, Any]]:
    """What was answered to requests."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_ANSWERED, {"day": day}).fetchall()
