"""What the routers of one process share: the database, the store, the secret, the catalogue.

A router gets it as `here: Here`; nothing of it is global, so a process may serve several in tests.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, cast

from fastapi import Depends
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool
from starlette.requests import HTTPConnection

from lastmile.access.secret import secret
from lastmile.catalogue import Catalogue
from lastmile.catalogue.published import read
from lastmile.serving.engine import Engine
from lastmile.settings import Settings
from lastmile.settings.api import ApiSettings
from lastmile.store import Store, open_store
from lastmile.warehouse.connections import CLIENT, database_url

#: Probes of orchestrators give up about then.
SECONDS = 3.0
#: After so long the catalogue is looked at again.
_CATALOGUE_SECONDS = 5.0
_READ_ONLY = "-c default_transaction_read_only=on -c statement_timeout=15s"
_WRITING = "-c statement_timeout=30s"


class Serving:
    """The installation that a process of the API answers for; it connects when it is opened."""

    def __init__(self, settings: Settings, api: ApiSettings, store: Store, url: str) -> None:
        self.settings, self.api, self.store, self.database_url = settings, api, store, url
        self.secret = secret(settings)
        self._reading, self._writing = _pool(url, _READ_ONLY, 8), _pool(url, _WRITING, 8)
        self._catalogue, self._looked_at = Catalogue(), 0.0
        self._looking = threading.Lock()
        self._engines: dict[str, Engine] = {}
        #: The process is about to end: what it answers still is the last on its connection.
        self.is_draining = False

    @classmethod
    def from_environment(cls) -> "Serving":
        settings = Settings.from_environment()
        return cls(settings, ApiSettings.from_environment(), open_store(settings), database_url(settings))

    def open(self) -> None:
        for pool in (self._reading, self._writing):
            pool.open()

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()
        for pool in (self._reading, self._writing):
            pool.close()

    @contextmanager
    def reading(self, timeout: float | None = None) -> Iterator[Connection]:
        """A connection in autocommit mode that cannot write. Call it from a thread, as in a route that is not async."""
        with self._reading.connection(timeout) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in autocommit mode: transactions are explicit."""
        with self._writing.connection() as connection:
            yield connection

    def engine(self, name: str) -> Engine:
        """The process for what the API's own must not import; one for each name, so that one waits for no other."""
        return self._engines.setdefault(name, Engine(name))

    def catalogue_at_hand(self) -> Catalogue | None:
        """The catalogue, if it is known without a look at the database: for routes that must not wait for one."""
        return self._catalogue if time.monotonic() - self._looked_at < _CATALOGUE_SECONDS else None

    def catalogue(self) -> Catalogue:
        """What is declared, at most seconds old; as it was last known while the database does not answer."""
        if known := self.catalogue_at_hand():
            return known
        with self._looking:
            if time.monotonic() - self._looked_at >= _CATALOGUE_SECONDS:
                try:
                    with self.reading(SECONDS) as connection:
                        self._catalogue = read(connection)
                except Exception:
                    if not self._looked_at:
                        raise
                self._looked_at = time.monotonic()
        return self._catalogue


def _pool(url: str, options: str, most: int) -> ConnectionPool:
    return ConnectionPool(
        make_conninfo(url, **CLIENT, options=options),
        kwargs={"autocommit": True},
        min_size=1,
        max_size=most,
        timeout=SECONDS,
        open=False,
        check=ConnectionPool.check_connection,
    )


async def serving(connection: HTTPConnection) -> Serving:  # else a thread would be needed to look
    return cast("Serving", connection.app.state.serving)


Here = Annotated[Serving, Depends(serving)]
