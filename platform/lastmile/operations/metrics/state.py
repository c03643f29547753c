"""The state in Postgres, as a scrape shows it; a database that is gone or hangs costs a scrape a few seconds, once."""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime

import psycopg
from prometheus_client import Metric
from prometheus_client.registry import Collector
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from lastmile.operations.metrics.family import counter, gauge
from lastmile.operations.metrics.parts import Part
from lastmile.warehouse.connections import CLIENT

#: Prometheus gives up after ten.
PATIENCE_SECONDS = 6.0
OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=5s -c idle_in_transaction_session_timeout=10s"
_OWN: dict[str, str | int] = {"application_name": "lastmile metrics", "connect_timeout": 3, "options": OPTIONS}

log = logging.getLogger(__name__)


class State(Collector):
    """The parts, read by one thread on one connection. While it waits for the database, `database_up` is 0 and no
    state is shown: what was true before may not be."""

    def __init__(self, url: str, parts: Sequence[Part]) -> None:
        self._url, self._parts = url, parts
        self._connection: Connection | None = None
        self._reader = ThreadPoolExecutor(1, "metrics")
        self._reading: Future[list[Metric]] | None = None

    def describe(self) -> list[Metric]:
        """Nothing: what there is depends on the database, which may not be there yet."""
        return []

    def collect(self) -> Iterator[Metric]:
        if self._reading is None or self._reading.done():
            self._reading = self._reader.submit(self._read)
        try:
            found = self._reading.result(PATIENCE_SECONDS)
        except NotInTime:
            found = []
        yield gauge("database_up", "1: Postgres answers.", [], [(bool(found),)])
        yield from found

    def _read(self) -> list[Metric]:
        """Nothing where the database does not answer."""
        try:
            connection = self._connected()
        except psycopg.Error as error:
            log.warning("no metrics of the state: Postgres does not answer: %s", type(error).__name__)
            return []
        found = []
        for part in self._parts:
            try:
                part.read(connection)
            except Exception as error:
                log.warning("no metrics of %s: %s", part.name, error)
                if connection.closed:
                    return []
            found += part.found
        return [*found, *self._about_itself()]

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(make_conninfo(self._url, **(CLIENT | _OWN)), autocommit=True)
        began = time.perf_counter()
        self._connection.execute("SELECT 1")
        self._answered = time.perf_counter() - began
        return self._connection

    def _about_itself(self) -> Iterator[Metric]:
        yield gauge("database_answer_seconds", "From a query for nothing to its answer.", [], [(self._answered,)])
        took = [(part.name, part.took) for part in self._parts]
        yield gauge("scrape_part_seconds", "How long each part took when it was last read.", ["part"], took)
        failed = [(part.name, part.failed) for part in self._parts]
        yield counter("scrape_errors", "Parts that could not be read.", ["part"], failed)
