"""Messages and their deliveries, in Postgres: what was decided is there until its channel has it.

A message is queued in the transaction that decides it, so a killed watcher loses none and decides none twice. It is
marked delivered after its channel accepted it: killed between the two, it is sent again, with the same id.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from lastmile.operations.alerts.alert import Message

_COLUMNS = [one.name for one in fields(Message)]
_MESSAGE = f"""
    INSERT INTO operations.alert_messages ({", ".join(_COLUMNS)}) VALUES ({", ".join(["%s"] * len(_COLUMNS))})
    ON CONFLICT (id) DO NOTHING
"""
_DELIVERY = """
    INSERT INTO operations.alert_deliveries (message, channel, next_at, delivered_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (message, channel) DO UPDATE SET delivered_at = excluded.delivered_at
        WHERE alert_deliveries.delivered_at IS NULL AND excluded.delivered_at IS NOT NULL
"""
_FIRST_WAIT_SECONDS, _LONGEST_WAIT = 10.0, timedelta(minutes=15)


@dataclass(frozen=True)
class Delivery:
    """A message on its way to one channel."""

    message: Message
    channel: str
    attempts: int = 0


def queue(connection: Connection, messages: Iterable[Message], delivered: Iterable[tuple[str, str]] = ()) -> None:
    """Have them delivered to each of their channels, but for those (id, channel) that have them."""
    done = set(delivered)
    for one in messages:
        connection.execute(_MESSAGE, _row(one))
        for channel in one.channels:
            at = one.made_at if (one.id, channel) in done else None
            connection.execute(_DELIVERY, [one.id, channel, one.made_at, at])


def due(connection: Connection, now: datetime, limit: int = 100) -> list[Delivery]:
    """Those whose time has come, the oldest message first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            f"""
            SELECT {", ".join(_COLUMNS)}, channel, attempts FROM operations.alert_deliveries
            JOIN operations.alert_messages ON id = message
            WHERE delivered_at IS NULL AND next_at <= %s ORDER BY made_at, id, channel LIMIT %s
            """,
            [now, limit],
        ).fetchall()
    return [Delivery(_message(row), row["channel"], row["attempts"]) for row in found]


def delivered(connection: Connection, delivery: Delivery, now: datetime) -> None:
    connection.execute(
        "UPDATE operations.alert_deliveries SET delivered_at = %s, attempts = attempts + 1, error = NULL"
        " WHERE (message, channel) = (%s, %s)",
        [now, delivery.message.id, delivery.channel],
    )


def failed(connection: Connection, delivery: Delivery, why: str, now: datetime) -> None:
    """It is tried again, after twice as long each time; so are the others of the channel then."""
    at = now + wait(delivery.attempts)
    connection.execute(
        "UPDATE operations.alert_deliveries SET attempts = attempts + 1, error = %s"
        " WHERE (message, channel) = (%s, %s)",
        [why, delivery.message.id, delivery.channel],
    )
    connection.execute(
        "UPDATE operations.alert_deliveries SET next_at = %s"
        " WHERE channel = %s AND delivered_at IS NULL AND next_at < %s",
        [at, delivery.channel, at],
    )


def wait(attempts: int) -> timedelta:
    """After so many attempts before this one."""
    return min(timedelta(seconds=_FIRST_WAIT_SECONDS * 2.0 ** min(attempts, 10)), _LONGEST_WAIT)


def undelivered(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    """By channel: messages that were tried and have not arrived, the age of the oldest in seconds, the last error."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT channel, count(*) AS messages, extract(epoch FROM %s - min(made_at))::float8 AS seconds,
                (array_agg(error ORDER BY next_at DESC))[1] AS error
            FROM operations.alert_deliveries JOIN operations.alert_messages ON id = message
            WHERE delivered_at IS NULL AND attempts > 0 GROUP BY channel ORDER BY channel
            """,
            [now],
        ).fetchall()


def messages(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """The newest first, each with how many of its channels have it; one without channels was listed only."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT id, made_at, what, rule, owner, severity, title, channels,
                (SELECT count(*) FROM operations.alert_deliveries
                    WHERE message = id AND delivered_at IS NOT NULL) AS delivered,
                (SELECT max(error) FROM operations.alert_deliveries WHERE message = id) AS error
            FROM operations.alert_messages ORDER BY made_at DESC, id LIMIT %s
            """,
            [limit],
        ).fetchall()


def _row(one: Message) -> list[Any]:
    given = {"channels": list(one.channels), "about": Jsonb([list(pair) for pair in one.about])}
    return [given.get(name, getattr(one, name)) for name in _COLUMNS]


def _message(row: dict[str, Any]) -> Message:
    values = {name: row[name] for name in _COLUMNS}
    about = tuple((subject, part) for subject, part in row["about"])
    return Message(**{**values, "channels": tuple(row["channels"]), "about": about})
