"""What the checks of assets said last, read from Dagster's tables without importing Dagster."""

from typing import Any

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, UndefinedTable
from psycopg.rows import dict_row


def latest(connection: Connection, asset: str | None = None) -> list[dict[str, Any]]:
    """The newest result of each check that has ended, by asset and check; of one asset (`cleaned/hhinfo`) if given.

    Columns asset, check, passed, severity, partition, at, run. Nothing where Dagster keeps its storage elsewhere.
    """
    try:
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                """
                SELECT asset, check_name AS check, execution_status = 'SUCCEEDED' AS passed, partition, run_id AS run,
                    lower(split_part(evaluation_event::jsonb #>>
                        '{dagster_event,event_specific_data,severity,__enum__}', '.', 2)) AS severity,
                    evaluation_event_timestamp AT TIME ZONE 'UTC' AS at
                FROM (
                    SELECT *,
                        (SELECT string_agg(part, '/') FROM jsonb_array_elements_text(asset_key::jsonb) part) AS asset
                    FROM dagster.asset_check_executions WHERE id IN (
                        SELECT max(id) FROM dagster.asset_check_executions
                        WHERE execution_status IN ('SUCCEEDED', 'FAILED') AND evaluation_event IS NOT NULL
                        GROUP BY asset_key, check_name)) newest
                WHERE %(asset)s::text IS NULL OR asset = %(asset)s ORDER BY 1, 2
                """,
                {"asset": asset},
            ).fetchall()
    except (UndefinedTable, InsufficientPrivilege):
        return []
