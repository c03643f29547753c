"""Whether anything has happened in this installation: numbers that change with it, read by one cheap statement.

Runs and backfills requested in the web UI or by a command, their ends, what is reported without a run, sensors that are
switched, requests about drops, drops whose time has come: all of it is in the database, whoever did it. 0.5 ms a look.
"""

from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from lastmile.ledger.backlog import at_a_glance

_STATEMENT = """
SELECT array(
        SELECT run_id FROM dagster.runs
        WHERE status IN ('QUEUED', 'NOT_STARTED', 'STARTING', 'STARTED', 'CANCELING')
        UNION ALL SELECT key FROM dagster.bulk_actions WHERE status IN ('REQUESTED', 'CANCELING', 'FAILING')),
    (SELECT max(id) FROM dagster.runs), (SELECT max(id) FROM dagster.bulk_actions),
    (SELECT max(id) FROM dagster.event_logs),
    array(SELECT concat(selector_id, status) FROM dagster.jobs ORDER BY id)
"""


@dataclass(frozen=True)
class Standing:
    """Runs and backfills under way, and what else changes when something happens while none is."""

    working: frozenset[str] = frozenset()
    marks: tuple[Any, ...] = field(default=())

    def has_more_to_do(self, before: "Standing") -> bool:
        """Whether something has happened since that may be followed by something else.

        Runs record what they do all the time, so while any is under way only an end counts.
        """
        return bool(before.working - self.working) or (not self.working and self.marks != before.marks)


def standing(connection: Connection) -> Standing:
    """How it is now. Raises psycopg.Error where the database does not answer or Dagster's tables are not there yet."""
    ((working, *marks),) = connection.execute(_STATEMENT).fetchall()
    if working:
        return Standing(frozenset(working))
    return Standing(marks=(*map(repr, marks), *at_a_glance(connection)))
