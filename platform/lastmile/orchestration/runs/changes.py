"""Whether anything has happened in this installation: numbers that change with it, read by one cheap statement.

Runs and backfills requested in the web UI or by a command, their ends, what is reported without a run, sensors that
are switched, requests about drops, drops whose time has come: all of it is in the database, from wherever it comes.
"""

from dataclasses import dataclass, replace

from psycopg import Connection

from lastmile.ledger.backlog import at_a_glance

_STATEMENT = """
SELECT array(
        SELECT run_id FROM dagster.runs
        WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')
        UNION ALL SELECT key FROM dagster.bulk_actions WHERE status IN ('REQUESTED', 'CANCELING', 'FAILING')),
    (SELECT coalesce(max(id), 0) FROM dagster.runs), (SELECT coalesce(max(id), 0) FROM dagster.bulk_actions),
    (SELECT max(id) FROM dagster.event_logs),
    array(SELECT concat(selector_id, status) FROM dagster.instigators ORDER BY id)
"""


@dataclass(frozen=True)
class Standing:
    """Runs and backfills under way, the newest of each, drops that are due, and a mark of everything else.

    While anything is under way the last two are not looked at: runs record what they do all the time.
    """

    working: frozenset[str]
    newest: tuple[int, int]
    due: int = 0
    mark: str = ""

    def may_be_followed(self, before: "Standing") -> bool:
        """Whether something has happened since that something else may follow: an end, or anything while idle."""
        return bool(before.working - self.working) or (not self.working and self != before)

    def is_busy(self, before: "Standing") -> bool:
        """Whether there is, or was meanwhile, something to be done."""
        return bool(self.working) or self.newest != before.newest or self.due > before.due


def standing(connection: Connection) -> Standing:
    """How it is now. Raises psycopg.Error where the database does not answer or Dagster's tables are not there yet."""
    ((working, run, backfill, *marks),) = connection.execute(_STATEMENT).fetchall()
    found = Standing(frozenset(working), (run, backfill))
    if working:
        return found
    recorded, due = at_a_glance(connection)
    return replace(found, due=due, mark=repr((marks, recorded)))


def has_runs(connection: Connection) -> bool:
    """Whether any run is under way; none is where Dagster's tables are not there yet."""
    ((table,),) = connection.execute("SELECT to_regclass('dagster.runs')").fetchall()
    return table is not None and bool(standing(connection).working)
