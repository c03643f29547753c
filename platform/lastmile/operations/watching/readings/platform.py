"""The installation itself, by Postgres: runs, waiting drops, the daemon, backups, messages that do not arrive."""

from collections.abc import Iterator
from datetime import datetime

from psycopg import Connection

from lastmile.ledger.state import backlog
from lastmile.operations.alerts.delivery.outbox import undelivered
from lastmile.operations.alerts.rule import Reading
from lastmile.operations.backup.history import archive, drills
from lastmile.operations.backup.history import newest as newest_backup
from lastmile.operations.daemon import last_heartbeat_seconds
from lastmile.operations.ticks import last_ticks

#: Failures of the last days count, the newest of them at most.
_STEPS = """
    WITH failed AS (
        SELECT step_key, id, run_id FROM dagster.event_logs
        WHERE dagster_event_type = 'STEP_FAILURE' AND timestamp > now() AT TIME ZONE 'UTC' - interval '7 days'
        ORDER BY id DESC LIMIT 2000)
    SELECT step_key, count(DISTINCT run_id), (array_agg(run_id ORDER BY id DESC))[1] FROM failed
    WHERE id > coalesce((SELECT max(done.id) FROM dagster.event_logs done
        WHERE done.step_key = failed.step_key AND done.dagster_event_type = 'STEP_SUCCESS'), 0)
    GROUP BY step_key
"""
_JOBS = """
    WITH failed AS (
        SELECT pipeline_name, id, run_id FROM dagster.runs
        WHERE status = 'FAILURE' AND update_timestamp > now() AT TIME ZONE 'UTC' - interval '7 days'
        ORDER BY id DESC LIMIT 2000)
    SELECT pipeline_name, count(*), (array_agg(run_id ORDER BY id DESC))[1] FROM failed
    WHERE id > coalesce((SELECT max(done.id) FROM dagster.runs done
        WHERE done.pipeline_name = failed.pipeline_name AND done.status = 'SUCCESS'), 0)
    GROUP BY pipeline_name
"""
#: Dagster's job of runs that materialize assets.
_ASSETS = "__ASSET_JOB"


def platform(connection: Connection, store: str, now: datetime) -> Iterator[tuple[str, Reading]]:
    """Rule and reading. Not to be called in a transaction, see `last_heartbeat_seconds`."""
    if (seconds := last_heartbeat_seconds(connection)) is not None:
        yield "daemon_dead", Reading(seconds, "", "the age of its last heartbeat")
    for row in backlog(connection, store):
        yield "backlog", Reading(row["backlog"], row["dataset"])
        yield "lag", Reading(row["lag_seconds"], row["dataset"], f"{row['backlog']:,} drops wait")
    for row in undelivered(connection, now):
        yield "undelivered", Reading(row["seconds"], row["channel"], f"{row['messages']} messages: {row['error']}")
    if _exists(connection, "dagster.event_logs"):
        yield from _failures(connection)
    if _exists(connection, "dagster.instigators"):
        for tick in last_ticks(connection):
            yield "ticks_failing", Reading(tick.failures, tick.name, tick.error or "")
    yield from _backups(connection, now)


def _backups(connection: Connection, now: datetime) -> Iterator[tuple[str, Reading]]:
    if backup := newest_backup(connection):  # where none was ever made, none is expected
        yield "backup_too_old", Reading((now - backup["ended_at"]).total_seconds(), "", f"the newest is {backup['id']}")
    if found := archive(connection):
        seconds = (now - found["archived_at"]).total_seconds()
        yield "log_not_archived", Reading(seconds, "", found["problem"] or "the archiver gives no sign of life")
    for drill in drills(connection, 1):
        problem = drill["error"] or ", ".join(drill["faults"])
        yield "drill_failed", Reading(1 if problem else 0, "", problem)


def _failures(connection: Connection) -> Iterator[tuple[str, Reading]]:
    for step, count, run in connection.execute(_STEPS).fetchall():
        yield "run_failures", Reading(count, step, f"the last one is run {run}")
    for job, count, run in connection.execute(_JOBS).fetchall():
        name = "any asset" if job == _ASSETS else job
        yield "run_failures", Reading(count, name, f"the last one is run {run}")


def _exists(connection: Connection, table: str) -> bool:
    ((found,),) = connection.execute("SELECT to_regclass(%s)", [table]).fetchall()
    return found is not None
