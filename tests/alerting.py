"""Alerts for real: a watcher whose clock can be moved on, a mail server and a webhook that keep what they receive."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message as Mail
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
from aiosmtpd.controller import Controller

from lastmile.contracts.alerts import Route
from lastmile.contracts.contract import Contract
from lastmile.operations.alerts.declared import declared_rules
from lastmile.operations.alerts.published import publish
from lastmile.operations.watching.readings.processes import Addresses
from lastmile.operations.watching.watcher import Watched, Watcher
from lastmile.settings import Settings
from lastmile.settings.alerts import AlertSettings, PlatformLimits

TICK = timedelta(seconds=15)


@dataclass
class Watch:
    """A watcher that looks when it is called, and the time it believes in."""

    watched: Watched
    said: list[str] = field(default_factory=list)
    ahead: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another process, as far as it matters: nothing is known but what was written."""
        self.watcher = Watcher(self.watched, self.said.append, lambda: datetime.now(UTC) + self.ahead)

    def look(self, times: int = 1, every: timedelta = TICK) -> None:
        for _ in range(times):
            self.ahead += every
            self.watcher.look()

    def pass_by(self, minutes: float) -> None:
        """So much time, in looks that are enough to fire and to recover."""
        self.look(5, timedelta(minutes=minutes) / 5)


def watch(settings: Settings, channels: str | None = None, **limits: Any) -> Watch:
    alerting = AlertSettings(channels=channels, runbook="https://example.org/runbook")
    return Watch(Watched(settings, alerting, PlatformLimits(**limits), Addresses()))


def watching(one: Watch, **addresses: str) -> Watch:
    """The same with processes to be watched."""
    one.watched = replace(one.watched, addresses=Addresses(**addresses))
    one.restart()
    return one


def declare(database_url: str, contract: Contract, *routes: Route) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        publish(connection, declared_rules([contract], []), routes)


@dataclass
class Webhook:
    """`status` is what it answers; what it accepted is kept."""

    address: str
    received: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.received]


@contextmanager
def webhook() -> Iterator[Webhook]:
    class Receives(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name that http.server calls
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if here.status == 200:
                here.received.append(body)
            self.send_response(here.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receives)
    here = Webhook(f"json://127.0.0.1:{server.server_port}/alerts")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield here
    server.shutdown()
    server.server_close()


@dataclass
class MailBox:
    address: str
    received: list[Mail] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.received.append(message_from_bytes(envelope.content))
        return "250 accepted"


@contextmanager
def mail_server() -> Iterator[MailBox]:
    """A real SMTP server on 127.0.0.1."""
    box = MailBox("")
    controller = Controller(box, hostname="127.0.0.1", port=_free_port())
    controller.start()
    box.address = f"mailto://127.0.0.1:{controller.port}?from=alerts@example.org&to=ada@example.org"
    yield box
    controller.stop()


def _free_port() -> int:
    from lastmile.embedded.processes import free_port

    return free_port()
