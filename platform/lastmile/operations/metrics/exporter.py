"""The endpoint that Prometheus scrapes for all but the API, served by the watcher's process.

State comes from Postgres, so it is the same wherever this runs. What the processes of this machine count of their work
comes from files in the home: of processes on other machines, as in a cluster, there is none here.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.registry import Collector

from lastmile.operations.metrics import machine
from lastmile.operations.metrics.parts import parts
from lastmile.operations.metrics.state import State
from lastmile.settings import Settings
from lastmile.telemetry.metrics_files import added_up, folder
from lastmile.warehouse.connections import database_url

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

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


def serve(settings: Settings, port: int, host: str = HOST) -> "WSGIServer":
    """Answer `/metrics` from a thread, until the process ends or the server is shut down."""
    server, _ = start_http_server(port, host, registry(settings))
    return server


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
