"""What alerts go by: how all models in use stand, without loading any of them."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

Row = dict[str, Any]

_DRIFT = """
    SELECT DISTINCT ON (name) name, to_char(partition_start, 'YYYY-MM-DD') AS partition,
        cardinality(drifted) + (predictions_drifted IS NOT NULL)::int AS inputs,
        array_to_string(drifted[:3] || predictions_drifted, '; ') AS words
    FROM registry.monitoring ORDER BY name, partition_start DESC
"""
_FELL = """
    SELECT m.name, to_char(partition_start, 'YYYY-MM-DD') AS partition, metric, score, expected
    FROM registry.monitoring m JOIN registry.deployments d ON d.name = m.name AND d.version = m.model_version
    WHERE performance_fell ORDER BY 1, 2
"""
_FLOOR = """
    SELECT name, version, (scores #>> '{floor,score}')::float8 AS score, scores #>> '{floor,metric}' AS metric
    FROM registry.deployments JOIN registry.model_versions USING (name, version)
    WHERE scores #>> '{floor,score}' IS NOT NULL
"""
_SUSPECT = """
    SELECT name, version, array_to_string(ARRAY(SELECT jsonb_array_elements_text(reasons)), '; ') AS reasons
    FROM (SELECT DISTINCT ON (name) * FROM registry.judgements ORDER BY name, id DESC) newest
    WHERE decision = 'suspect' AND NOT EXISTS (
        SELECT FROM registry.events e WHERE (e.name, e.version) = (newest.name, newest.version) AND e.at > newest.at
            AND event IN ('promoted', 'archived', 'rolled back'))
"""
_FAILED = """
    SELECT t.name, count(*) AS failures, (array_agg(outcome ORDER BY id DESC))[1] AS outcome
    FROM registry.trainings t WHERE outcome LIKE 'failed%' AND id > coalesce((
        SELECT max(id) FROM registry.trainings ok
        WHERE ok.name = t.name AND outcome IS NOT NULL AND outcome NOT LIKE 'failed%'), 0)
    GROUP BY t.name
"""


def drifted(connection: Connection) -> list[Row]:
    """By model: how many inputs of the newest partition drifted, with what is predicted, and which, in words."""
    return _rows(connection, _DRIFT)


def performance_fell(connection: Connection) -> list[Row]:
    """Partitions that the version in use predicts worse than its evaluation said."""
    return _rows(connection, _FELL)


def floor_scores(connection: Connection) -> list[Row]:
    """By model: the score of the version in use that its floor is about."""
    return _rows(connection, _FLOOR)


def suspects(connection: Connection) -> list[Row]:
    """Models whose newest candidate was judged suspect and not decided about since."""
    return _rows(connection, _SUSPECT)


def failed_trainings(connection: Connection) -> list[Row]:
    """By model: trainings that failed since the last one that did not."""
    return _rows(connection, _FAILED)


def _rows(connection: Connection, statement: str) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode()).fetchall()
