"""Sources, by the history of their runs: overdue, failing, and the log that a database keeps for one of changes."""

from collections.abc import Iterator

from psycopg import Connection

from lastmile.operations.alerts.kinds import written
from lastmile.operations.alerts.rule import Reading
from lastmile.sources import watched

_MOST_SAID = 300


def sources(connection: Connection) -> Iterator[tuple[str, str, Reading]]:
    """Rule, source and reading."""
    for row in watched.ages(connection):
        yield "source_overdue", row["source"], Reading(max(0.0, row["seconds"]))
    for row in watched.failing(connection):
        yield "source_failing", row["source"], Reading(row["failures"], "", (row["message"] or "")[:_MOST_SAID])
    for row in watched.slots(connection):
        seen = f"slot {row['slot']}, as of {written(row['seen_seconds'], 'duration')} ago"
        yield "slot_lag", row["source"], Reading(row["bytes"], "", f"{seen}{_problem(row['problem'])}"[:_MOST_SAID])


def _problem(problem: str | None) -> str:
    return f"; {problem}" if problem else ""
