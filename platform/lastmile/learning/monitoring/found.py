"""What monitoring found, read by those who only show it."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_PARTITIONS = """
    SELECT partition_start, model_version, rows, compared_with, new_labelled, drifted, predictions_drifted, metric,
        score, score_error, expected, expected_error, performance_fell, monitored_at
    FROM registry.monitoring WHERE name = %s ORDER BY partition_start DESC LIMIT %s
"""
_DRIFT = """
    SELECT partition_start, feature, test, effect, p_value, psi, critical_psi, missing_then, missing_now, adjusted_p,
        drifted
    FROM registry.drift WHERE name = %s AND partition_start = ANY(%s)
    ORDER BY partition_start DESC, drifted DESC, effect DESC, feature
"""
_NEWEST = """
    SELECT DISTINCT ON (name) name, cardinality(drifted) AS drifted, predictions_drifted IS NOT NULL AS predictions,
        performance_fell, score
    FROM registry.monitoring ORDER BY name, partition_start DESC
"""


def partitions(connection: Connection, model: str, most: int) -> list[dict[str, Any]]:
    """What was found of each partition, the newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_PARTITIONS, [model, most]).fetchall()


def drift(connection: Connection, model: str, starts: list[Any]) -> list[dict[str, Any]]:
    """Of each input in these partitions; the target among them is what was predicted."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_DRIFT, [model, starts]).fetchall()


def newest(connection: Connection) -> list[dict[str, Any]]:
    """Of each model's newest partition: inputs that drifted, whether predictions did, and the score there."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_NEWEST).fetchall()
