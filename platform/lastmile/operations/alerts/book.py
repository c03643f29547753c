"""How alerts stand, in Postgres: read and written as a whole by the one watcher, looked at by everyone else."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from lastmile.operations.alerts.alert import Alert, Key

_COLUMNS = [one.name for one in fields(Alert)]
_KEPT = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS if name not in ("rule", "subject", "part"))
_KEEP = f"""
    INSERT INTO operations.alerts ({", ".join(_COLUMNS)}) VALUES ({", ".join(f"%({name})s" for name in _COLUMNS)})
    ON CONFLICT (rule, subject, part) DO UPDATE SET {_KEPT}
"""
_RECORD = """
    INSERT INTO operations.alert_events (at, rule, subject, part, owner, severity, event, value, text)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
#: Changes of state that are events: a pending one that goes away was nothing.
_EVENTS = {("pending", "firing"), ("recovered", "firing"), ("firing", "recovered")}
#: How long history and delivered messages are kept.
KEPT = timedelta(days=90)


def alerts(connection: Connection) -> dict[Key, Alert]:
    """All that are pending, firing or not long over."""
    with connection.cursor(row_factory=class_row(_alert)) as cursor:  # type: ignore[arg-type]  # a function does as well
        found: list[Alert] = cursor.execute(f"SELECT {', '.join(_COLUMNS)} FROM operations.alerts").fetchall()
    return {one.key: one for one in found}


def keep(connection: Connection, before: Mapping[Key, Alert], after: Mapping[Key, Alert], now: datetime) -> None:
    """Write what changed, with what happened. To be called in a transaction."""
    gone = before.keys() - after.keys()
    changed = [alert for key, alert in after.items() if before.get(key) != alert]
    with connection.cursor() as cursor:
        cursor.executemany("DELETE FROM operations.alerts WHERE (rule, subject, part) = (%s, %s, %s)", list(gone))
        cursor.executemany(_KEEP, [asdict(one) | {"channels": list(one.channels)} for one in changed])
    record(connection, events(before, changed), now)


def events(before: Mapping[Key, Alert], changed: Iterable[Alert]) -> list[tuple[str, Alert]]:
    """What happened to alerts, in words: each became firing or recovered, or was escalated."""
    found: list[tuple[str, Alert]] = []
    for alert in changed:
        old = before.get(alert.key)
        if (old.state if old else "pending", alert.state) in _EVENTS:
            found.append((alert.state, alert))
        if alert.escalated_at and (old is None or not old.escalated_at):
            found.append(("escalated", alert))
    return found


def record(connection: Connection, happened: Iterable[tuple[str, Alert]], at: datetime) -> None:
    """Add to the history."""
    rows = [[at, *one.key, one.owner, one.severity, event, one.value, one.text] for event, one in happened]
    with connection.cursor() as cursor:
        cursor.executemany(_RECORD, rows)


def acknowledge(connection: Connection, rule: str, subject: str, part: str | None, by: str) -> list[Alert]:
    """What fires is in a person's hands: it is not escalated. Of all parts where none is given."""
    with connection.transaction(), connection.cursor(row_factory=class_row(_alert)) as cursor:  # type: ignore[arg-type]
        found: list[Alert] = cursor.execute(
            f"""
            UPDATE operations.alerts SET acknowledged_at = now(), acknowledged_by = %(by)s
            WHERE rule = %(rule)s AND subject = %(subject)s AND (%(part)s::text IS NULL OR part = %(part)s)
                AND state = 'firing' AND acknowledged_at IS NULL
            RETURNING {", ".join(_COLUMNS)}
            """,
            {"rule": rule, "subject": subject, "part": part, "by": by},
        ).fetchall()
        record(connection, [(f"acknowledged by {by}", one) for one in found], datetime.now(UTC))
    return found


def history(
    connection: Connection, limit: int, rule: str | None = None, subject: str | None = None
) -> list[dict[str, Any]]:
    """What happened, the newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT at, event, rule, subject, part, owner, severity, value, text FROM operations.alert_events
            WHERE (%(rule)s::text IS NULL OR rule = %(rule)s) AND (%(subject)s::text IS NULL OR subject = %(subject)s)
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {"rule": rule, "subject": subject, "limit": limit},
        ).fetchall()


def forget(connection: Connection, now: datetime) -> None:
    """Remove history, silences and messages of long ago; what is not delivered stays."""
    before = now - KEPT
    connection.execute("DELETE FROM operations.alert_events WHERE at < %s", [before])
    connection.execute("DELETE FROM operations.alert_silences WHERE until < %s", [before])
    connection.execute(
        "DELETE FROM operations.alert_messages WHERE made_at < %s AND NOT EXISTS ("
        "SELECT FROM operations.alert_deliveries WHERE message = alert_messages.id AND delivered_at IS NULL)",
        [before],
    )


def seen(connection: Connection, host: str, pid: int, now: datetime) -> None:
    """The watcher's sign of life."""
    connection.execute(
        "INSERT INTO operations.watcher (host, pid, seen_at) VALUES (%s, %s, %s)"
        " ON CONFLICT (one) DO UPDATE SET host = excluded.host, pid = excluded.pid, seen_at = excluded.seen_at",
        [host, pid, now],
    )


def last_seen_seconds(connection: Connection) -> float | None:
    """How long ago alerts were last evaluated; None where they never were."""
    row = connection.execute("SELECT extract(epoch FROM now() - seen_at)::float8 FROM operations.watcher").fetchone()
    return row[0] if row else None


def _alert(**columns: Any) -> Alert:
    return Alert(**{**columns, "channels": tuple(columns["channels"])})
