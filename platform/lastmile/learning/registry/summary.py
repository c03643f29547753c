"""The registry in numbers, for those who only show it; nothing of a model is loaded."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row


def scores_in_use(connection: Connection) -> list[dict[str, Any]]:
    """Name, version and scores of the version of each model in use, by name."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT name, version, scores FROM registry.deployments JOIN registry.model_versions USING (name, version)"
            " ORDER BY name"
        ).fetchall()


def predictions_by_level(connection: Connection) -> dict[str, dict[str, int]]:
    """Number of predictions by model and predicted level, over all partitions; of numbers under the target's name."""
    found: dict[str, dict[str, int]] = {}
    for name, level, count in connection.execute(
        "SELECT name, level, sum(count::bigint)::bigint FROM registry.predictions,"
        " jsonb_each_text(rows) AS by_level (level, count) GROUP BY name, level ORDER BY name, level"
    ):
        found.setdefault(name, {})[level] = count
    return found


def versions_of_runs(connection: Connection, runs: Sequence[str]) -> list[dict[str, Any]]:
    """Model, version, run and scores of what these runs registered."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT name AS model, version, run_id AS run, scores FROM registry.model_versions"
            " WHERE run_id = ANY(%s) ORDER BY id",
            [list(runs)],
        ).fetchall()


def version_facts(connection: Connection, name: str, version: str) -> dict[str, Any] | None:
    """What a version was made from and where its rows are kept; None where there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT name AS model, version, created_at, run_id AS run, feature_set, data_versions, code_version,"
            " sha256, snapshot_key FROM registry.model_versions WHERE name = %s AND version = %s",
            [name, version],
        ).fetchone()
