"""The registry in numbers, for those who only show it; nothing of a model is loaded."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row


def latest_scores(connection: Connection) -> list[dict[str, Any]]:
    """Name, version and scores of the newest version of each model, by name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT DISTINCT ON (name) name, version, scores FROM registry.model_versions"
            " ORDER BY name, created_at DESC"
        ).fetchall()


def predictions_by_level(connection: Connection) -> dict[str, int]:
    """Number of predictions by predicted level, over all partitions."""
    return dict(
        connection.execute(
            "SELECT level, sum(count::bigint)::bigint FROM registry.predictions,"
            " jsonb_each_text(rows) AS by_level (level, count) GROUP BY level ORDER BY level"
        ).fetchall()
    )
