"""The thread that gathers records about once a second, in one process of the installation at a time.

While the store or the database is away, records go on being accepted as far as they can be, and wait.
"""

import logging
import threading
import time
from collections.abc import Callable

from psycopg import Connection

from lastmile.ingestion.submissions import gathering, objects
from lastmile.ingestion.submissions.objects import Required
from lastmile.store import Store
from lastmile.telemetry.spans import record
from lastmile.warehouse.connections import connect

log = logging.getLogger(__name__)

SECONDS = 1.0
_ALONE = "SELECT pg_try_advisory_lock(hashtext('submissions.objects'))"
#: How often `also` is called.
_ALSO_SECONDS = 60.0


class Gatherer:
    """`required` says which columns each drop of a dataset must have; `also` is done once a minute, by one process."""

    def __init__(
        self,
        url: str,
        store: Store,
        required: Required,
        also: Callable[[Connection], None] = lambda connection: None,
        seconds: float = SECONDS,
    ) -> None:
        self._url, self._store, self._required, self._also, self._seconds = url, store, required, also, seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gatherer", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Returns after the step under way; what still waits is gathered by the next process."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._url) as connection:
                    self._gather_as_long_as_connected(connection)
            except Exception as error:
                log.warning("records wait to be gathered: %s: %s", type(error).__name__, error)
                self._stopping.wait(self._seconds)

    def _gather_as_long_as_connected(self, connection: Connection) -> None:
        while not self._is_alone(connection):
            if self._stopping.wait(self._seconds):
                return
        also_at = 0.0
        while not self._stopping.is_set():
            step(connection, self._store, self._required)
            if time.monotonic() >= also_at:
                self._also(connection)
                also_at = time.monotonic() + _ALSO_SECONDS
            self._stopping.wait(self._seconds)

    def _is_alone(self, connection: Connection) -> bool:
        row = connection.execute(_ALONE).fetchone()
        return bool(row and row[0])


def step(connection: Connection, store: Store, required: Required, between: Callable[[], None] = lambda: None) -> None:
    """Gather all that waits, and write what changed."""
    records = 0
    while (found := gathering.gather(connection, store.url)) >= gathering.MOST:
        records += found
    between()
    began, since = time.time(), time.perf_counter()
    if written := objects.write(connection, store, required):
        record("submissions.gather", began, time.perf_counter() - since, records=records + found, objects=written)
