"""A day of history as the platform itself writes it: the rows of real runs, multiplied in Postgres.

A run has a number of its own and its own moments. What it made is a partition of its day, as of a dataset by day, so
that partitions, whose newest events are never removed, grow as they do in a year.
"""

from datetime import datetime

from psycopg import Connection

_TABLES = (
    "runs",
    "run_tags",
    "event_logs",
    "asset_event_tags",
    "asset_check_executions",
    "asset_daemon_asset_evaluations",
)
_OF_RUNS = "run_id IN (SELECT run_id FROM pattern.runs)"


def take_pattern(connection: Connection, after_run: int) -> int:
    """Keep the rows of the runs after that one as a pattern, and of what automation found meanwhile; how many runs."""
    connection.execute("DROP SCHEMA IF EXISTS pattern CASCADE")
    connection.execute("CREATE SCHEMA pattern")
    since = "(SELECT min(create_timestamp) FROM pattern.runs)"
    chosen = {
        "runs": f"id > {after_run} AND status IN ('SUCCESS', 'FAILURE')",
        "run_tags": _OF_RUNS,
        "event_logs": _OF_RUNS,
        "asset_event_tags": "event_id IN (SELECT id FROM pattern.event_logs)",
        "asset_check_executions": _OF_RUNS,
        "asset_daemon_asset_evaluations": f"create_timestamp >= {since}",
    }
    for table, rows in chosen.items():
        connection.execute(f"CREATE TABLE pattern.{table} AS SELECT * FROM dagster.{table} WHERE {rows}".encode())
    for status in ("SKIPPED", "SUCCESS"):
        connection.execute(
            f"CREATE TABLE pattern.{status.lower()}_tick AS SELECT * FROM dagster.job_ticks"
            f" WHERE status = '{status}' ORDER BY id DESC LIMIT 1".encode()
        )
    connection.execute("CREATE INDEX ON pattern.event_logs (run_id)")
    connection.execute("ALTER TABLE pattern.runs ADD place bigint GENERATED ALWAYS AS IDENTITY")
    return int(connection.execute("SELECT count(*) FROM pattern.runs").fetchall()[0][0])


def add_day(connection: Connection, day: datetime, runs: int, ticks: int) -> None:
    """So many runs over the day, and ticks that requested nothing."""
    with connection.transaction():
        for statement in _DAY:
            connection.execute(statement.encode(), {"day": day, "runs": runs, "ticks": ticks})


_MADE = """
    CREATE TEMP TABLE made ON COMMIT DROP AS
    SELECT n, p.run_id AS pattern, gen_random_uuid()::text AS run_id, p.create_timestamp AS began,
        %(day)s::timestamp + n * (interval '1 day' / %(runs)s::int) AS now
    FROM generate_series(0, %(runs)s::int - 1) AS n
    JOIN pattern.runs p ON p.place = 1 + n %% (SELECT count(*) FROM pattern.runs)
"""
_RUNS = """
    INSERT INTO dagster.runs (run_id, snapshot_id, pipeline_name, status, run_body, partition, partition_set,
        create_timestamp, update_timestamp, start_time, end_time)
    SELECT m.run_id, snapshot_id, pipeline_name, status, replace(run_body, m.pattern, m.run_id), partition,
        partition_set, now, now + (update_timestamp - began), start_time, end_time
    FROM made m JOIN pattern.runs p ON p.run_id = m.pattern
"""
_RUN_TAGS = """
    INSERT INTO dagster.run_tags (run_id, key, value)
    SELECT m.run_id, key, value FROM made m JOIN pattern.run_tags p ON p.run_id = m.pattern
"""
_NUMBERED = """
    CREATE TEMP TABLE numbered ON COMMIT DROP AS
    SELECT nextval('dagster.event_logs_id_seq') AS id, pattern_id, n FROM (
        SELECT p.id AS pattern_id, n FROM made m JOIN pattern.event_logs p ON p.run_id = m.pattern ORDER BY n, p.id
    ) AS ordered
"""
_EVENTS = """
    INSERT INTO dagster.event_logs (id, run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
    SELECT e.id, m.run_id, event, dagster_event_type, now + (timestamp - began), step_key,
        asset_key, CASE WHEN partition IS NOT NULL THEN (%(day)s::timestamp)::date::text END
    FROM numbered e JOIN made m USING (n) JOIN pattern.event_logs p ON p.id = e.pattern_id ORDER BY e.id
"""
_EVENT_TAGS = """
    INSERT INTO dagster.asset_event_tags (asset_key, event_id, key, value, event_timestamp)
    SELECT p.asset_key, e.id, p.key, p.value, now
    FROM numbered e JOIN made m USING (n) JOIN pattern.asset_event_tags p ON p.event_id = e.pattern_id
"""
_CHECKS = """
    INSERT INTO dagster.asset_check_executions (asset_key, check_name, partition, run_id, execution_status,
        evaluation_event, evaluation_event_timestamp, evaluation_event_storage_id, materialization_event_storage_id,
        create_timestamp)
    SELECT asset_key, check_name, partition, m.run_id, execution_status, evaluation_event,
        now, e.id, materialization_event_storage_id, now
    FROM made m JOIN pattern.asset_check_executions p ON p.run_id = m.pattern
    LEFT JOIN numbered e ON e.n = m.n AND e.pattern_id = p.evaluation_event_storage_id
"""
#: Those of all runs of the pattern together, once for as many runs.
_EVALUATIONS = """
    WITH last AS (SELECT coalesce(max(evaluation_id), 0) AS id FROM dagster.asset_daemon_asset_evaluations),
    first AS (SELECT min(evaluation_id) AS id, max(evaluation_id) - min(evaluation_id) + 1 AS several
        FROM pattern.asset_daemon_asset_evaluations)
    INSERT INTO dagster.asset_daemon_asset_evaluations (evaluation_id, asset_key, asset_evaluation_body, num_requested,
        num_skipped, num_discarded, create_timestamp)
    SELECT last.id + 1 + n * several + (evaluation_id - first.id), asset_key, asset_evaluation_body, num_requested,
        num_skipped, num_discarded,
        %(day)s::timestamp + n * (interval '1 day' / %(runs)s::int) * (SELECT count(*) FROM pattern.runs)
    FROM generate_series(0, %(runs)s::int / (SELECT count(*) FROM pattern.runs) - 1) AS n, last, first,
        pattern.asset_daemon_asset_evaluations
"""
_TICKS = """
    INSERT INTO dagster.job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body, create_timestamp,
        update_timestamp)
    SELECT job_origin_id, selector_id, status, type, now, tick_body, now, now
    FROM pattern.{status}_tick, LATERAL (
        SELECT %(day)s::timestamp + n * (interval '1 day' / %({several})s::int) AS now
        FROM generate_series(0, %({several})s::int - 1) AS n
    ) AS moments
"""
_DAY = (
    *(_MADE, _RUNS, _RUN_TAGS, _NUMBERED, _EVENTS, _EVENT_TAGS, _CHECKS, _EVALUATIONS),
    _TICKS.format(status="skipped", several="ticks"),
    _TICKS.format(status="success", several="runs"),
)
