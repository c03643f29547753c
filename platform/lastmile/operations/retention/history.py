"""Dagster's history: runs, events, checks, ticks, evaluations, backfills and snapshots older than they are kept.

Dagster itself only purges ticks and evaluations. And what it knows of the present it reads from the history: that a
partition was made, when, from which versions, what a check found, that an attempt failed and was not made good. So of
each asset and partition the newest event of each kind stays, with its run, however old; of each check the newest
result; of each schedule and sensor the newest tick. A run that only those are left of keeps its outline: when it began
and ended, and why it failed.

Statements of ours on Dagster's tables, a few hundred rows a transaction, because `delete_run` deletes such events as
well and costs a transaction each. `tests/operations/test_history.py` holds them to a real instance.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql

from lastmile.operations.retention.alone import alone
from lastmile.settings.retention import RetentionSettings

#: Rows that went or would go, by what they are.
Rows = dict[str, int]
Progress = Callable[[str, int], None]

_RUNS, _ROWS = 50, 5_000
_ENDED = "status IN ('SUCCESS', 'FAILURE', 'CANCELED')"
#: Is there a newer event of the kind, of the same asset and partition? What was planned is outdone by what was made.
_OUTDONE = """EXISTS (
    SELECT FROM dagster.event_logs n WHERE n.asset_key = e.asset_key AND n.id > e.id
    AND n.dagster_event_type IN (
        e.dagster_event_type,
        CASE e.dagster_event_type WHEN 'ASSET_MATERIALIZATION_PLANNED' THEN 'ASSET_MATERIALIZATION' END
    )
    AND n.partition {same}
)"""
_GOES = f"""(e.asset_key IS NULL OR CASE WHEN e.partition IS NULL
    THEN {_OUTDONE.format(same="IS NULL")} ELSE {_OUTDONE.format(same="= e.partition")} END)"""
_OUTLINE = """e.dagster_event_type IN ('PIPELINE_START', 'PIPELINE_SUCCESS', 'PIPELINE_FAILURE', 'PIPELINE_CANCELED',
    'STEP_FAILURE', 'RUN_FAILURE')"""

#: Rows of a table with an id, by what they are: the table, and which of its rows `t` go.
_TABLES = {
    "results of checks": (
        "asset_check_executions",
        """t.create_timestamp < %(runs)s AND EXISTS (
            SELECT FROM dagster.asset_check_executions n
            WHERE n.asset_key = t.asset_key AND n.check_name = t.check_name
            AND n.partition IS NOT DISTINCT FROM t.partition AND n.id > t.id
            AND (n.execution_status <> 'PLANNED' OR t.execution_status = 'PLANNED'))""",
    ),
    "ticks": (
        "job_ticks",
        """t.timestamp < CASE t.status WHEN 'SKIPPED' THEN %(skipped_ticks)s ELSE %(ticks)s END AND EXISTS (
            SELECT FROM dagster.job_ticks n WHERE n.selector_id = t.selector_id AND n.timestamp > t.timestamp)""",
    ),
    "evaluations": ("asset_daemon_asset_evaluations", "t.create_timestamp < %(evaluations)s"),
    "backfills": (
        "bulk_actions",
        """t.timestamp < %(runs)s
            AND t.status IN ('COMPLETED', 'COMPLETED_SUCCESS', 'COMPLETED_FAILED', 'FAILED', 'CANCELED')""",
    ),
    "tags of backfills": (
        "backfill_tags",
        "NOT EXISTS (SELECT FROM dagster.bulk_actions b WHERE b.key = t.backfill_id)",
    ),
}
_VACUUMED = (
    "event_logs",
    "asset_event_tags",
    "runs",
    "run_tags",
    "snapshots",
    *(table for table, _ in _TABLES.values()),
)
_PLAN = re.compile(r'"execution_plan_snapshot_id": "([0-9a-f]+)"')
_PARENT = re.compile(rb'"parent_snapshot_id": "([0-9a-f]+)"')


def survey(connection: Connection, keep: RetentionSettings) -> Rows:
    """What `clean` would remove, with nothing done; of snapshots nothing is known before the runs are gone."""
    if not _is_here(connection):
        return {}
    before = _moments(connection, keep, None)
    found = {
        what: _count(connection, f"SELECT count(*) FROM dagster.{table} t WHERE {goes}", before)
        for what, (table, goes) in _TABLES.items()
    }
    events = f"""
        SELECT count(*) FROM dagster.event_logs e LEFT JOIN dagster.runs r USING (run_id)
        WHERE {_GOES} AND coalesce(NOT {_OUTLINE}, true)
        AND (r.{_ENDED} AND r.update_timestamp < %(runs)s OR e.run_id = '' AND e.timestamp < %(runs)s)
    """
    return {"events": _count(connection, events, before), **found}


def clean(
    connection: Connection,
    keep: RetentionSettings,
    progress: Progress = lambda what, rows: None,
    now: datetime | None = None,
) -> Rows:
    """Remove what is older than it is kept, as of `now`. `connection` must be in autocommit mode.

    Raises UserError where another clean-up is at work. A run that is being made from a snapshot of which nothing was
    left finds it gone in one case of very many: its tick fails, and the next one requests it.
    """
    if not _is_here(connection):
        return {}
    with alone(connection):
        before, gone = _moments(connection, keep, now), Rows()

        def went(what: str, rows: int) -> None:
            gone[what] = gone.get(what, 0) + rows
            progress(what, rows)

        for what, (table, goes) in _TABLES.items():
            for rows in _in_batches(connection, table, goes, before):
                went(what, rows)
        for rows in _runless(connection, before):
            went("events", rows)
        for runs, events in _runs(connection, before):
            went("runs", runs)
            went("events", events)
        went("snapshots", _snapshots(connection))
        _vacuum(connection)
    return gone


def _is_here(connection: Connection) -> bool:
    """Dagster may keep its storage elsewhere, or not have made it yet."""
    found = connection.execute("SELECT to_regclass('dagster.event_logs')").fetchone()
    return bool(found and found[0])


def _moments(connection: Connection, keep: RetentionSettings, now: datetime | None) -> dict[str, Any]:
    """Before when rows of each kind are old: Dagster's columns are in UTC, without saying so."""
    if now is None:
        ((now,),) = connection.execute("SELECT now() AT TIME ZONE 'UTC'").fetchall()
    kinds = ("runs", "ticks", "skipped_ticks", "evaluations")
    return {kind: now - timedelta(days=getattr(keep, kind)) for kind in kinds}


def _count(connection: Connection, query: str, before: dict[str, Any]) -> int:
    ((rows,),) = connection.execute(query.encode(), before).fetchall()
    return int(rows)


def _in_batches(connection: Connection, table: str, goes: str, before: dict[str, Any]) -> Iterator[int]:
    """The oldest first. The last batch is not a full one."""
    query = f"""
        DELETE FROM dagster.{table} WHERE id = ANY (ARRAY(
            SELECT t.id FROM dagster.{table} t WHERE t.id > %(after)s AND {goes} ORDER BY t.id LIMIT {_ROWS}
        )) RETURNING id
    """
    after = 0
    while found := connection.execute(query.encode(), {**before, "after": after}).fetchall():
        after = max(row[0] for row in found)
        yield len(found)


def _runless(connection: Connection, before: dict[str, Any]) -> Iterator[int]:
    """Events that were reported outside of runs, such as how fresh an asset is."""
    query = f"""
        WITH gone AS (
            DELETE FROM dagster.event_logs WHERE id = ANY (ARRAY(
                SELECT e.id FROM dagster.event_logs e
                WHERE e.run_id = '' AND e.id > %(after)s AND e.timestamp < %(runs)s AND {_GOES}
                ORDER BY e.id LIMIT {_ROWS}
            )) RETURNING id
        ), tags AS (DELETE FROM dagster.asset_event_tags WHERE event_id IN (SELECT id FROM gone))
        SELECT max(id), count(*) FROM gone
    """
    after = 0
    while True:
        ((last, rows),) = connection.execute(query.encode(), {**before, "after": after}).fetchall()
        if not rows:
            return
        after = last
        yield rows


def _runs(connection: Connection, before: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """How many runs and events each batch removed, the oldest runs first."""
    old = connection.execute(
        f"SELECT run_id FROM dagster.runs WHERE {_ENDED} AND update_timestamp < %(runs)s ORDER BY id".encode(), before
    ).fetchall()
    for first in range(0, len(old), _RUNS):
        batch = [run for (run,) in old[first : first + _RUNS]]
        with connection.transaction():
            events = _events(connection, batch, f"{_GOES} AND coalesce(NOT {_OUTLINE}, true)")
            gone = _without_events(connection, batch)
            yield len(gone), events + (_events(connection, gone, "true") if gone else 0)


def _events(connection: Connection, runs: Sequence[str], goes: str) -> int:
    query = f"""
        WITH gone AS (DELETE FROM dagster.event_logs e WHERE e.run_id = ANY (%s) AND {goes} RETURNING id),
        tags AS (DELETE FROM dagster.asset_event_tags WHERE event_id IN (SELECT id FROM gone))
        SELECT count(*) FROM gone
    """
    ((rows,),) = connection.execute(query.encode(), [runs]).fetchall()
    return int(rows)


def _without_events(connection: Connection, runs: Sequence[str]) -> list[str]:
    """Remove the runs of which nothing is left that the present depends on."""
    found = connection.execute(
        "DELETE FROM dagster.runs r WHERE run_id = ANY (%(runs)s) AND NOT EXISTS ("
        "  SELECT FROM dagster.event_logs e WHERE e.run_id = r.run_id AND e.asset_key IS NOT NULL)"
        " AND run_id NOT IN (SELECT c.run_id FROM dagster.asset_check_executions c WHERE c.run_id = ANY (%(runs)s))"
        " RETURNING run_id",
        {"runs": runs},
    ).fetchall()
    return [run for (run,) in found]


def _snapshots(connection: Connection) -> int:
    """Those of jobs and plans that no run names any more, nor a job's snapshot that a run names."""
    used: set[str] = set()
    for job, body in connection.execute("SELECT snapshot_id, run_body FROM dagster.runs"):
        used.update(filter(None, [job, *_PLAN.findall(body)]))
    bodies = connection.execute(
        "SELECT snapshot_body FROM dagster.snapshots WHERE snapshot_type = 'PIPELINE' AND snapshot_id = ANY (%s)",
        [list(used)],
    )
    for (body,) in bodies:
        used.update(parent.decode() for parent in _PARENT.findall(zlib.decompress(body)))
    return connection.execute(
        "DELETE FROM dagster.snapshots s WHERE snapshot_id <> ALL (%s)"
        " AND NOT EXISTS (SELECT FROM dagster.runs r WHERE r.snapshot_id = s.snapshot_id)",
        [list(used)],
    ).rowcount


def _vacuum(connection: Connection) -> None:
    """So that the space is used again; a table that another vacuum is at work on is passed over."""
    for table in _VACUUMED:
        connection.execute(sql.SQL("VACUUM (ANALYZE, SKIP_LOCKED) {}").format(sql.Identifier("dagster", table)))
