"""What was answered to requests, by day and version, as the log has it."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_ANSWERED = """
    WITH recent AS (
        SELECT (at AT TIME ZONE 'UTC')::date AS day, version, output ->> 'level' AS level, milliseconds
        FROM registry.answers WHERE model = %s AND at >= now() - make_interval(days => %s)
    ), counted AS (
        SELECT day, version, level, count(*) AS answers FROM recent WHERE level IS NOT NULL GROUP BY day, version, level
    ), by_level AS (
        SELECT day, version, jsonb_object_agg(level, answers) AS levels FROM counted GROUP BY day, version
    )
    SELECT day, version, count(*) AS answers, coalesce(levels, '{}') AS levels,
        percentile_cont(0.95) WITHIN GROUP (ORDER BY milliseconds) AS p95_milliseconds
    FROM recent LEFT JOIN by_level USING (day, version)
    GROUP BY day, version, levels ORDER BY day DESC, version::int DESC
"""


def answered(connection: Connection, model: str, days: int) -> list[dict[str, Any]]:
    """The newest day first: answers, how many had each level, and the time that 95 % of them were within."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_ANSWERED, [model, days]).fetchall()
