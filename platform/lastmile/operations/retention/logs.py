"""Tables that are logs: answered predictions, jobs of submissions, the audit."""

from datetime import UTC, datetime, timedelta

from psycopg import Connection

from lastmile.access import audit
from lastmile.ingestion.submissions.retention import forget_jobs, old_jobs
from lastmile.learning.registry.retention import forget_answers, old_answers
from lastmile.operations.retention.history import Rows
from lastmile.settings.retention import RetentionSettings


def survey(connection: Connection, keep: RetentionSettings) -> Rows:
    """What `clean` would remove."""
    return {
        "answered predictions": old_answers(connection, _before(keep.answers)),
        "jobs of submissions": old_jobs(connection, _before(keep.submissions)),
        **({"audit": audit.older(connection, _before(keep.audit))} if keep.audit else {}),
    }


def clean(connection: Connection, keep: RetentionSettings) -> Rows:
    """Remove what is older than it is kept. `connection` must be in autocommit mode."""
    found = {
        "answered predictions": sum(forget_answers(connection, _before(keep.answers))),
        "jobs of submissions": forget_jobs(connection, _before(keep.submissions)),
    }
    if keep.audit:
        found["audit"] = audit.forget(connection, _before(keep.audit))
    return found


def _before(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
