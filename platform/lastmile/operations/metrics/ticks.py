"""Sensors, schedules, daemons and backfills, from Dagster's tables."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Metric
from psycopg import Connection

from lastmile.operations.metrics.family import gauge
from lastmile.operations.metrics.recent import Recent
from lastmile.operations.ticks import last_ticks

_STATES = ("success", "skipped", "failure")
_ENDED = """
SELECT t.id, t.tick_body::jsonb ->> 'job_name' AS name, lower(t.status) AS state
FROM dagster.instigators i JOIN dagster.job_ticks t USING (selector_id)
WHERE t.status <> 'STARTED' AND t.timestamp > to_timestamp(%(since)s) AT TIME ZONE 'UTC'
    AND t.id <> ALL(%(seen)s)
"""
_HEARTBEATS = """
SELECT lower(daemon_type), extract(epoch FROM now() AT TIME ZONE 'UTC' - timestamp) FROM dagster.daemon_heartbeats
"""
_BACKFILLS = "SELECT lower(status), count(*) FROM dagster.bulk_actions GROUP BY 1"
_ASSETS = """
SELECT (SELECT string_agg(part, '/') FROM jsonb_array_elements_text(asset_key::jsonb) part),
    extract(epoch FROM now() AT TIME ZONE 'UTC' - last_materialization_timestamp)
FROM dagster.asset_keys WHERE last_materialization_timestamp IS NOT NULL
"""


class Ticks:
    """Counters on the registry, raised by `look`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Recent(_ENDED)
        self._ticks = Counter(
            "lastmile_ticks", "Ticks of sensors and schedules that ended.", ["name", "state"], registry=registry
        )

    def look(self, connection: Connection) -> Iterator[Metric]:
        last = last_ticks(connection)
        for one in last:
            for state in _STATES:
                self._ticks.labels(one.name, state)
        for tick in self._ended.new(connection):
            self._ticks.labels(tick["name"], tick["state"]).inc()
        yield gauge(
            "tick_age_seconds", "Age of the last tick of each sensor and schedule that is on.", ["name"],
            [(one.name, one.age_seconds) for one in last],
        )  # fmt: skip
        yield gauge(
            "tick_failures_in_a_row", "Ticks that failed since the last that did not.", ["name"],
            [(one.name, one.failures) for one in last],
        )  # fmt: skip


def daemons(connection: Connection) -> Iterator[Metric]:
    rows = connection.execute(_HEARTBEATS).fetchall()
    yield gauge("heartbeat_age_seconds", "Since each of Dagster's daemons was last heard of.", ["daemon"], rows)
    states = dict.fromkeys(("requested", "canceling", "failing"), 0)
    yield gauge(
        "backfills", "Backfills that are kept, by state.", ["state"],
        (states | dict(connection.execute(_BACKFILLS).fetchall())).items(),
    )  # fmt: skip


def assets(connection: Connection) -> Iterator[Metric]:
    rows = connection.execute(_ASSETS).fetchall()
    yield gauge("asset_age_seconds", "Since each asset was last made, any partition of it.", ["asset"], rows)
