"""One look at everything: readings, alerts, messages; with Postgres, and without it while it is dead.

With Postgres, alerts and messages are there, decided in one transaction, by whichever watcher has the lock. Without,
the alerts that can be judged without it are kept in the spool, and put into Postgres once it is back.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from psycopg import Connection, OperationalError
from psycopg.errors import InvalidSchemaName, UndefinedColumn, UndefinedTable

from lastmile.contracts.alerts import Route
from lastmile.errors import UserError
from lastmile.operations.alerts import book
from lastmile.operations.alerts.alert import Alert, Key, Message
from lastmile.operations.alerts.announcing import Announcing, Timing
from lastmile.operations.alerts.declared import of_platform
from lastmile.operations.alerts.delivery import outbox
from lastmile.operations.alerts.delivery.channels import channels, send
from lastmile.operations.alerts.delivery.delivering import deliver
from lastmile.operations.alerts.evaluation import evaluate
from lastmile.operations.alerts.published import read
from lastmile.operations.alerts.rule import PLATFORM, Reading, Readings, Rule
from lastmile.operations.alerts.silences import silences
from lastmile.operations.watching.readings.datasets import datasets
from lastmile.operations.watching.readings.models import models
from lastmile.operations.watching.readings.objects import Objects
from lastmile.operations.watching.readings.platform import platform
from lastmile.operations.watching.readings.processes import Addresses, disk, processes
from lastmile.operations.watching.readings.sources import sources
from lastmile.operations.watching.readings.streams import Streams
from lastmile.operations.watching.spool import Spool
from lastmile.settings import Settings
from lastmile.settings.alerts import AlertSettings, PlatformLimits
from lastmile.warehouse.connections import connect, database_url
from lastmile.warehouse.migrate import is_current

if TYPE_CHECKING:
    from lastmile.operations.alerts.routing import Silence

#: Rules that are judged without Postgres.
LOCAL = {"database_dead", "api_dead", "web_ui_dead", "code_server_dead", "store_unreachable", "disk"}
#: What comes up with us is given so long.
STARTS = timedelta(minutes=5)
_STATEMENT_SECONDS, _CUT_SECONDS = 20, 60.0
_LOCK = "SELECT pg_try_advisory_lock(hashtext('operations.watcher'))"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Watched:
    """What is watched, and how."""

    settings: Settings
    alerting: AlertSettings
    limits: PlatformLimits
    addresses: Addresses

    @property
    def timing(self) -> Timing:
        given = self.alerting
        return Timing(
            timedelta(seconds=given.group_seconds),
            timedelta(minutes=given.regroup_minutes),
            timedelta(hours=given.repeat_hours),
        )


class Starting:
    """What has not been seen alive yet is starting, for some minutes: nothing is known of it."""

    def __init__(self, until: datetime) -> None:
        self._until, self._seen = until, set[str]()

    def covers(self, rule: str, is_alive: bool, now: datetime) -> bool:
        if is_alive:
            self._seen.add(rule)
        return rule not in self._seen and now < self._until


class Watcher:
    """`look` is called every few seconds; `say` gets a line for whatever happens."""

    def __init__(self, watched: Watched, say: Say, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._watched, self._say, self._clock = watched, say, clock
        self._channels = channels(watched.alerting)
        self._own_rules = of_platform(watched.limits, watched.alerting.owner)
        self._objects, self._streams = Objects(watched.settings), Streams()
        self._spool = Spool(watched.settings.home)
        self._silences: list[Silence] = []
        self._retry_at: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._forgot_at: datetime | None = None
        self._starting = Starting(self._clock() + STARTS)

    def look(self) -> None:
        """Evaluate every rule that can be judged now, and send what is due."""
        found = self._local()
        try:
            with self._database() as connection:
                if connection.execute(_LOCK).fetchone() == (True,):
                    self._with_database(connection, {**found, "database_dead": [Reading(0)]})
        except (UndefinedTable, InvalidSchemaName, UndefinedColumn) as error:
            if is_current(database_url(self._watched.settings)):
                raise
            self._say(f"Postgres is not migrated yet: {str(error).splitlines()[0]}")
        except (OperationalError, UserError) as error:
            if self._spool.is_ours():
                said = " ".join(str(error).split())
                self._without_database({**found, "database_dead": [Reading(1, "", said)]})

    def _local(self) -> dict[str, list[Reading]]:
        found = {
            rule: [reading]
            for rule, reading in processes(self._watched.addresses)
            if not self._starting.covers(rule, reading.value == 0, self._clock())
        }
        found["disk"] = [disk(self._watched.settings.home)]
        if read := list(self._objects.readings()):
            found["store_unreachable"] = read
        return found

    @contextmanager
    def _database(self) -> Iterator[Connection]:
        """A new connection each time: one that is there says nothing about a server that takes no new ones. It is cut
        where the server stops in the middle."""
        with connect(database_url(self._watched.settings)) as connection:
            cutting = threading.Timer(_CUT_SECONDS, _cut, [connection])
            cutting.daemon = True
            cutting.start()
            try:
                connection.execute(f"SET statement_timeout = '{_STATEMENT_SECONDS}s'")
                yield connection
            finally:
                cutting.cancel()

    def _with_database(self, connection: Connection, local: dict[str, list[Reading]]) -> None:
        now, store = self._clock(), self._watched.settings.store_url.rstrip("/")
        declared, routes = read(connection)
        rules = [*declared, *self._own_rules]
        readings = self._readings(connection, store, rules, local)
        self._silences = silences(connection)
        with connection.transaction():
            if self._spool.kept.is_ahead:
                self._catch_up(connection, now)
            before = book.alerts(connection)
            after = evaluate(rules, readings, before, now)
            after, messages = self._announcing(routes, now).announce(after)
            book.keep(connection, before, after, now)
            outbox.queue(connection, messages)
            book.seen(connection, socket.gethostname(), os.getpid(), now)
        self._report(before, after, messages)
        self._remember(routes, after)
        deliver(connection, self._channels, self._clock, self._say)
        if self._forgot_at is None or now - self._forgot_at > timedelta(hours=1):
            book.forget(connection, now)
            self._forgot_at = now

    def _readings(
        self, connection: Connection, store: str, rules: list[Rule], local: dict[str, list[Reading]]
    ) -> Readings:
        """Whatever is not read is fine, but for what could not be looked at."""
        found: Readings = {(rule.name, rule.subject): [] for rule in rules if rule.name not in LOCAL}
        for rule, subject, reading in (*datasets(connection, store), *models(connection), *sources(connection)):
            found.setdefault((rule, subject), []).append(reading)
        for rule, subject, known in self._streams.readings(connection, self._clock()):
            if known is None:
                found.pop((rule, subject), None)
            else:
                found.setdefault((rule, subject), []).append(known)
        for rule, reading in platform(connection, store, self._clock()):
            found.setdefault((rule, PLATFORM), []).append(reading)
            is_fresh = reading.value < self._watched.limits.daemon_seconds
            if rule == "daemon_dead" and self._starting.covers(rule, is_fresh, self._clock()):
                del found[rule, PLATFORM]
        return found | {(rule, PLATFORM): readings for rule, readings in local.items()}

    def _announcing(self, routes: list[Route], now: datetime) -> Announcing:
        """Without any route, everything goes to every channel; without any channel, alerts are listed only."""
        used = routes if routes and self._channels else [Route(channels=tuple(self._channels))]
        return Announcing(used, self._silences, self._watched.timing, now, self._watched.alerting.runbook)

    def _without_database(self, local: dict[str, list[Reading]]) -> None:
        now, kept = self._clock(), self._spool.kept
        readings: Readings = {(rule, PLATFORM): found for rule, found in local.items()}
        after = evaluate([rule for rule in self._own_rules if rule.name in LOCAL], readings, kept.alerts, now)
        after, messages = self._announcing(list(kept.routes), now).announce(after)
        before, kept.alerts, kept.is_ahead = kept.alerts, after, True
        kept.messages += messages
        self._spool.write()
        self._report(before, after, messages)
        for message in kept.messages:
            for channel in message.channels:
                self._send(message, channel, now)

    def _send(self, message: Message, channel: str, now: datetime) -> None:
        which = (message.id, channel)
        at, attempts = self._retry_at.get(which, (now, 0))
        address = self._channels.get(channel)
        if which in self._spool.kept.delivered or at > now or address is None:
            return
        if why := send(address, message):
            self._retry_at[which] = (now + outbox.wait(attempts), attempts + 1)
            self._say(f"not sent to {channel}, which is tried again: {message.title}: {why}")
        else:
            self._spool.kept.delivered.append(which)
            self._spool.write()
            self._say(f"sent to {channel}: {message.title}")

    def _catch_up(self, connection: Connection, now: datetime) -> None:
        """Put into Postgres what was decided without it. Done twice, it changes nothing."""
        kept, before = self._spool.kept, book.alerts(connection)
        local = {key: alert for key, alert in before.items() if alert.rule in LOCAL}
        book.keep(connection, local, kept.alerts, now)
        outbox.queue(connection, kept.messages, kept.delivered)

    def _remember(self, routes: list[Route], after: dict[Key, Alert]) -> None:
        """What is needed should Postgres die before the next look."""
        kept = self._spool.kept
        kept.routes, kept.messages, kept.delivered, kept.is_ahead = routes, [], [], False
        kept.alerts = {key: alert for key, alert in after.items() if alert.rule in LOCAL}
        self._retry_at = {}
        if self._spool.is_ours():
            self._spool.write()

    def _report(self, before: dict[Key, Alert], after: dict[Key, Alert], messages: list[Message]) -> None:
        changed = [alert for key, alert in after.items() if before.get(key) != alert]
        for event, alert in book.events(before, changed):
            self._say(f"{event}: {alert.name} [{alert.severity}] {alert.text}")
        for message in messages:
            if not message.channels:
                self._say(f"no channel for {message.owner}, so listed only: {message.title}")


def _cut(connection: Connection) -> None:
    with suppress(OSError, OperationalError):
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        duplicate.shutdown(socket.SHUT_RDWR)
        duplicate.close()
