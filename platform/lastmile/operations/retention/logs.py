"""Tables that are logs: answered predictions, jobs of submissions, what came of sources and streams, the audit."""

from datetime import UTC, datetime, timedelta

from psycopg import Connection

from lastmile.access import audit
from lastmile.ingestion.submissions.retention import forget_jobs, old_jobs
from lastmile.learning.registry.retention import forget_answers, old_answers
from lastmile.operations.retention.history import Rows
from lastmile.quarantine.messages import forget_messages, old_messages
from lastmile.settings.retention import RetentionSettings
from lastmile.sources.retention import forget_fetches, forget_runs, old_fetches, old_runs
from lastmile.streaming.retention import forget_rows, landing_streams, old_rows


def survey(connection: Connection, keep: RetentionSettings) -> Rows:
    """What `clean` would remove."""
    return {
        "answered predictions": old_answers(connection, _before(keep.answers)),
        "jobs of submissions": old_jobs(connection, _before(keep.submissions)),
        "runs of sources": len(old_runs(connection, _before(keep.source_runs))),
        "fetches of sources": len(old_fetches(connection, _before(keep.source_runs))),
        **old_rows(connection, _before(keep.stream_history)),
        "messages in quarantine": old_messages(connection, _before(keep.messages), landing_streams(connection)),
        **({"audit": audit.older(connection, _before(keep.audit))} if keep.audit else {}),
    }


def clean(connection: Connection, keep: RetentionSettings) -> Rows:
    """Remove what is older than it is kept. `connection` must be in autocommit mode."""
    found = {
        "answered predictions": sum(forget_answers(connection, _before(keep.answers))),
        "jobs of submissions": forget_jobs(connection, _before(keep.submissions)),
        "runs of sources": forget_runs(connection, _before(keep.source_runs)),
        "fetches of sources": forget_fetches(connection, _before(keep.source_runs)),
        **forget_rows(connection, _before(keep.stream_history)),
        "messages in quarantine": forget_messages(connection, _before(keep.messages), landing_streams(connection)),
    }
    if keep.audit:
        found["audit"] = audit.forget(connection, _before(keep.audit))
    return found


def _before(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
