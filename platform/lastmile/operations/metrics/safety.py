"""Backups, the archive of the log, restore drills, and alerts: how safe it all is."""

from collections.abc import Iterator

from prometheus_client import Metric
from psycopg import Connection

from lastmile.operations.metrics.family import gauge

_BACKUPS = """
SELECT kind, extract(epoch FROM now() - max(ended_at) FILTER (WHERE error IS NULL)),
    (array_agg(stored_bytes ORDER BY ended_at DESC) FILTER (WHERE ended_at IS NOT NULL AND error IS NULL))[1],
    count(*) FILTER (WHERE error IS NOT NULL)
FROM operations.backups GROUP BY kind
"""
_ARCHIVE = "SELECT extract(epoch FROM now() - archived_at), spooled_bytes FROM operations.log_archive"
_DRILL = """
SELECT extract(epoch FROM now() - started_at), (error IS NOT NULL OR faults <> '{}')::int, rpo_seconds, rto_seconds
FROM operations.drills WHERE ended_at IS NOT NULL ORDER BY started_at DESC LIMIT 1
"""
_ALERTS = "SELECT rule, severity, state, count(*) FROM operations.alerts WHERE state <> 'recovered' GROUP BY 1, 2, 3"
_UNDELIVERED = """
SELECT channel, count(*) FROM operations.alert_deliveries WHERE delivered_at IS NULL GROUP BY 1
"""
_WATCHER = "SELECT extract(epoch FROM now() - seen_at) FROM operations.watcher"


def backups(connection: Connection) -> Iterator[Metric]:
    rows = connection.execute(_BACKUPS).fetchall()
    yield gauge(
        "backup_age_seconds", "Since the last complete backup.", ["kind"], [(kind, age) for kind, age, *_ in rows]
    )
    yield gauge(
        "backup_bytes", "Size of the last complete backup, as stored.", ["kind"],
        [(kind, size) for kind, _, size, _ in rows],
    )  # fmt: skip
    yield gauge("backups_failed", "Attempts that failed.", ["kind"], [(kind, failed) for kind, *_, failed in rows])
    archive = connection.execute(_ARCHIVE).fetchall()
    yield gauge("log_archive_age_seconds", "Since the log was last archived.", [], [(age,) for age, _ in archive])
    yield gauge("log_archive_waiting_bytes", "Log that is not archived yet.", [], [(size,) for _, size in archive])
    yield from _drill(connection)


def alerts(connection: Connection) -> Iterator[Metric]:
    yield gauge(
        "alerts", "Alerts that are pending or firing.", ["rule", "severity", "state"],
        connection.execute(_ALERTS).fetchall(),
    )  # fmt: skip
    yield gauge(
        "alert_messages_undelivered", "Messages that a channel does not have yet.", ["channel"],
        connection.execute(_UNDELIVERED).fetchall(),
    )  # fmt: skip
    yield gauge("watcher_age_seconds", "Since alerts were last evaluated.", [], connection.execute(_WATCHER).fetchall())


def _drill(connection: Connection) -> Iterator[Metric]:
    rows = connection.execute(_DRILL).fetchall()
    for position, (name, text) in enumerate(
        [
            ("age_seconds", "Since the last restore drill began."),
            ("failed", "1: the last restore drill failed."),
            ("rpo_seconds", "Time lost by the restore of the last drill."),
            ("rto_seconds", "How long the restore of the last drill took."),
        ]
    ):
        yield gauge(f"drill_{name}", text, [], [(row[position],) for row in rows])
