"""The last tick of each sensor and schedule that is on, from Dagster's tables."""

from typing import NamedTuple

from psycopg import Connection

_LAST = """
SELECT tick.body ->> 'job_name', extract(epoch FROM now() AT TIME ZONE 'UTC' - tick.timestamp),
    coalesce((tick.body ->> 'consecutive_failure_count')::int, 0) + (tick.status = 'FAILURE')::int,
    tick.body -> 'error' ->> 'message'
FROM dagster.instigators i CROSS JOIN LATERAL (
    SELECT timestamp, status, tick_body::jsonb AS body FROM dagster.job_ticks t
    WHERE t.selector_id = i.selector_id ORDER BY timestamp DESC LIMIT 1) tick
WHERE i.status <> 'STOPPED'
"""


class Tick(NamedTuple):
    """`failures` in a row; `error` is why this one failed."""

    name: str
    age_seconds: float
    failures: int
    error: str | None


def last_ticks(connection: Connection) -> list[Tick]:
    return [Tick(*row) for row in connection.execute(_LAST).fetchall()]
