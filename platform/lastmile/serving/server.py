"""Serving the API until the process is stopped, which refuses no request and cuts none short.

At SIGTERM it is no longer ready, and every answer closes its connection, so that the next request goes elsewhere. It
accepts connections for as long as a load balancer needs to notice, then stops listening, answers what came meanwhile,
and ends when all that is open is answered, or the grace is over.
"""

import asyncio
import signal
import socket
import time
from collections.abc import Sequence
from types import FrameType

import uvicorn
from fastapi import FastAPI

from lastmile import telemetry
from lastmile.serving.app import EVERYTHING, make_app
from lastmile.serving.port import bound, listeners, replace
from lastmile.serving.state import Serving
from lastmile.settings.group import load
from lastmile.settings.shutdown import Shutdown
from lastmile.telemetry.metrics import Work
from lastmile.telemetry.spans import listen

HOST = "127.0.0.1"
#: Connections accepted just before the end have this long to send their request.
_LINGER_SECONDS = 0.5


def configured(app: FastAPI, port: int, host: str = HOST, grace_seconds: float = 20.0) -> uvicorn.Config:
    """How the app is served wherever it is."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        log_config=None,  # the process's own
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=round(grace_seconds),
        timeout_keep_alive=75,
        backlog=4_096,
    )


def serve(
    here: Serving, port: int, host: str = HOST, parts: Sequence[str] = EVERYTHING, replacing: bool = False
) -> None:
    """Returns after SIGTERM or Ctrl-C, when open requests are answered. Where it is `replacing`, the process that
    answers on the port ends when this one does. Raises UserError where it cannot listen."""
    telemetry.start("api")
    shutdown = load(Shutdown)
    before = listeners(port) if replacing else []
    app = make_app(here, parts)
    listen(Work(app.state.observed.registry))
    config = configured(app, port, host, shutdown.grace_seconds)
    Server(config, here, shutdown.drain_seconds, before).run([bound(host, port, shared=bool(before))])


class Server(uvicorn.Server):
    """Drains before it ends; ends the processes that it replaces once it answers itself."""

    def __init__(self, config: uvicorn.Config, here: Serving, drain_seconds: float, replaced: list[int]) -> None:
        super().__init__(config)
        self._here, self._drain_seconds, self._replaced = here, drain_seconds, replaced
        self._closes_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        replace(self._replaced)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self._closes_at is None:
            self._here.is_draining, self._closes_at = True, time.monotonic() + self._drain_seconds
            self._captured_signals.append(sig)
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        if self._closes_at is not None and time.monotonic() >= self._closes_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._here.is_draining = True
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        if self.server_state.connections:
            await asyncio.sleep(_LINGER_SECONDS)
        await super().shutdown(sockets)
