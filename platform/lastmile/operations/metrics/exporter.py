"""The endpoint that Prometheus scrapes for all but the API, served by the watcher's process.

State comes from Postgres, so it is the same wherever this runs. What the processes of this machine count of their work
comes from files in the home: of processes on other machines, as in a cluster, there is none here.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import (
    CollectorRegistry,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)
from prometheus_client.registry import Collector

from lastmile.operations.health.answer import answer as health
from lastmile.operations.metrics import machine
from lastmile.operations.metrics.parts import parts
from lastmile.operations.metrics.state import State
from lastmile.settings import Settings
from lastmile.telemetry.metrics_files import added_up, folder
from lastmile.warehouse.connections import database_url

HOST = "127.0.0.1"
_SECONDS = 5.0


class _Read(Collector):
    """What a function gives at each scrape."""

    def __init__(self, reading: Callable[[], Iterable[Metric]]) -> None:
        self._reading = reading

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield from self._reading()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Scrapes are no news."""


def serve(settings: Settings, port: int, host: str = HOST) -> WSGIServer:
    """Answer `/metrics`, and at once `/health/live` and `/health/ready`, from threads, until the process ends or the
    server is shut down."""
    server = make_server(host, port, _app(registry(settings)), _Server, _Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _app(found: CollectorRegistry) -> Callable[..., Iterable[bytes]]:
    metrics = make_wsgi_app(found)

    def answer(environ: Any, start: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            scraped: Iterable[bytes] = metrics(environ, start)
            return scraped
        status, body = health(path) or (HTTPStatus.NOT_FOUND, b"/metrics, /health/live and /health/ready are here\n")
        start(f"{status.value} {status.phrase}", [("Content-Type", "application/json")])
        return [body]

    return answer


def registry(settings: Settings, seconds: float = _SECONDS) -> CollectorRegistry:
    """All that is scraped here; what was read from Postgres is shown for so many seconds. The state is read first,
    since it raises counters that are shown next."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # else a second series for each
    found = CollectorRegistry(auto_describe=False)
    counters = CollectorRegistry(auto_describe=False)
    found.register(State(database_url(settings), parts(settings.store_url.rstrip("/"), counters, seconds)))
    found.register(_Read(counters.collect))
    found.register(_Read(lambda: added_up(folder(settings.home))))
    found.register(_Read(lambda: machine.disks(settings)))
    found.register(_Read(lambda: machine.processes(settings)))
    ProcessCollector(registry=found)
    return found
