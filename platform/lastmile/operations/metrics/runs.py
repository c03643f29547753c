"""Runs and their steps, from Dagster's tables, without importing Dagster: whichever machine they ran on."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from psycopg import Connection

from lastmile.operations.metrics.family import gauge
from lastmile.operations.metrics.recent import Recent

STATES = ("queued", "not_started", "starting", "started", "canceling", "success", "failure", "canceled")
_ENDS = ("success", "failure", "canceled")
_BUCKETS = (1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1800, 7200)
_STEP_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 600, 3600)
#: Which of a run's tags says what requested it; where none does, a person.
_BY = """
coalesce((SELECT CASE WHEN key = 'dagster/backfill' THEN 'backfill' ELSE value END FROM dagster.run_tags t
    WHERE t.run_id = r.run_id AND key IN ('dagster/sensor_name', 'dagster/schedule_name', 'dagster/backfill')
    ORDER BY key DESC LIMIT 1), 'person')
"""
_JOB = "CASE WHEN starts_with(r.pipeline_name, '__ASSET_JOB') THEN 'assets' ELSE r.pipeline_name END"
_COUNTS = "SELECT lower(status), count(*) FROM dagster.runs GROUP BY 1"
_OLDEST = """
SELECT lower(status), extract(epoch FROM now() AT TIME ZONE 'UTC' - min(create_timestamp))
FROM dagster.runs WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING') GROUP BY 1
"""
_IN_A_ROW = f"""
WITH ended AS (
    SELECT r.id, {_JOB} AS job, {_BY} AS by, r.status FROM dagster.runs r
    WHERE r.status IN ('SUCCESS', 'FAILURE') ORDER BY r.id DESC LIMIT 300
), marked AS (
    SELECT *, max(id) FILTER (WHERE status = 'SUCCESS') OVER (PARTITION BY job, by) AS success FROM ended
)
SELECT job, by, count(*) FILTER (WHERE id > coalesce(success, 0)) FROM marked GROUP BY 1, 2
"""
_ENDED = f"""
SELECT r.id, {_JOB} AS job, {_BY} AS by, lower(r.status) AS state, coalesce(r.end_time - r.start_time, 0) AS seconds,
    greatest(r.start_time - extract(epoch FROM r.create_timestamp), 0)::float8 AS queued
FROM dagster.runs r
WHERE r.status IN ('SUCCESS', 'FAILURE', 'CANCELED') AND r.end_time > %(since)s
    AND r.update_timestamp > to_timestamp(%(since)s) AT TIME ZONE 'UTC' AND r.id <> ALL(%(seen)s)
"""
#: From the newest backwards only: the table has no index by time.
_STEPS = """
WITH before AS (
    SELECT id FROM dagster.event_logs WHERE timestamp < to_timestamp(%(since)s) AT TIME ZONE 'UTC'
    ORDER BY id DESC LIMIT 1
)
SELECT id, regexp_replace(step_key, '\\[.*\\]$', '') AS step,
    CASE dagster_event_type WHEN 'STEP_SUCCESS' THEN 'success' ELSE 'failure' END AS state,
    (event::jsonb #>> '{dagster_event,event_specific_data,duration_ms}')::float8 / 1000 AS seconds
FROM dagster.event_logs
WHERE dagster_event_type IN ('STEP_SUCCESS', 'STEP_FAILURE') AND id <> ALL(%(seen)s)
    AND id > coalesce((SELECT id FROM before), 0)
"""


class Runs:
    """Counters on the registry, raised by `look`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._runs, self._steps = Recent(_ENDED), Recent(_STEPS)
        self._seconds = Histogram(
            "lastmile_run_seconds", "How long runs took, from start to end.", ["job_name", "by", "state"],
            buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self._queued = Histogram(
            "lastmile_run_queued_seconds", "How long runs waited, from request to start.", ["job_name", "by"],
            buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self._step_seconds = Histogram(
            "lastmile_step_seconds", "How long steps of runs took.", ["step"],
            buckets=_STEP_BUCKETS, registry=registry,
        )  # fmt: skip
        self._step_ends = Counter("lastmile_steps", "Steps that ended.", ["step", "state"], registry=registry)

    def look(self, connection: Connection) -> Iterator[Metric]:
        counts = dict.fromkeys(STATES, 0) | dict(connection.execute(_COUNTS).fetchall())
        yield gauge("runs", "Runs that are kept, by state.", ["state"], counts.items())
        oldest = dict.fromkeys(STATES[:5], 0) | dict(connection.execute(_OLDEST).fetchall())
        yield gauge("runs_oldest_seconds", "Age of the oldest run in the state; 0: none is.", ["state"], oldest.items())
        failures = connection.execute(_IN_A_ROW.encode()).fetchall()
        yield gauge(
            "run_failures_in_a_row", "Runs that failed since the last that succeeded.", ["job_name", "by"], failures
        )
        self._start_at_zero((job, by) for job, by, _ in failures)
        self._count_runs(connection)
        self._count_steps(connection)

    def _start_at_zero(self, kinds: Iterable[tuple[str, str]]) -> None:
        """Else the first failure would be the first value of its series, and no increase."""
        for job, by in kinds:
            for state in _ENDS:
                self._seconds.labels(job, by, state)

    def _count_runs(self, connection: Connection) -> None:
        for run in self._runs.new(connection):
            self._seconds.labels(run["job"], run["by"], run["state"]).observe(run["seconds"])
            if run["queued"] is not None:
                self._queued.labels(run["job"], run["by"]).observe(run["queued"])

    def _count_steps(self, connection: Connection) -> None:
        for step in self._steps.new(connection):
            for state in ("success", "failure"):
                self._step_ends.labels(step["step"], state).inc(state == step["state"])
            if step["seconds"] is not None:
                self._step_seconds.labels(step["step"]).observe(step["seconds"])
