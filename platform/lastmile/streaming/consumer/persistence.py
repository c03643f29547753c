"""A connection to Postgres that is made anew when it is lost: what was being done is done again, with backoff.

What is run so must be idempotent: the answer to a commit may be lost together with the connection.
"""

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg
from psycopg import Connection

from lastmile.errors import Unreachable
from lastmile.warehouse.connections import connect

log = logging.getLogger(__name__)

T = TypeVar("T")
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 5.0
_OUTAGES: tuple[type[Exception], ...] = (psycopg.OperationalError, psycopg.InterfaceError, Unreachable)
#: A process that is suspended, or on a host that is gone, does not keep what it has locked.
_LIMITS = "SET idle_in_transaction_session_timeout = '10s'; SET tcp_keepalives_idle = 10; SET tcp_keepalives_count = 3"
#: Another process was first; the same again succeeds.
_AGAIN = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure, psycopg.errors.LockNotAvailable)


class Stopped(Exception):
    """The process is to end while the database or the store is away."""


class Persistence:
    """Runs steps on a connection of its own. `ready` is run on each new one. Not for several threads."""

    def __init__(
        self, url: str, stop: threading.Event, ready: Callable[[Connection], None] = lambda connection: None
    ) -> None:
        self._url, self._stop, self._ready = url, stop, ready
        self._connection: Connection | None = None
        #: What keeps it from its work; None while nothing does.
        self.problem: str | None = None

    def run(self, step: Callable[[Connection], T], waits_for: tuple[type[Exception], ...] = ()) -> T:
        """What the step gives. These errors too are waited for to pass. Raises Stopped where it is to end meanwhile,
        and every other error."""
        wait, outages = _FIRST_WAIT, (*_OUTAGES, *waits_for)
        while True:
            try:
                found = step(self._open())
            except _AGAIN as error:
                log.info("again: %s", error)
            except outages as error:
                self._lost(error)
            except psycopg.Error as error:  # such as of a session that the server has ended
                if not self._is_lost():
                    raise
                self._lost(error)
            else:
                self.problem = None
                return found
            if self._stop.wait(wait * random.uniform(0.5, 1.0)) and self.problem:  # noqa: S311  # no secret
                raise Stopped(self.problem)
            wait = min(2 * wait, _LONGEST_WAIT)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None or self._is_lost():
            self.close()
            self._connection = connect(self._url)
            self._connection.execute(_LIMITS)
            self._ready(self._connection)
        return self._connection

    def _is_lost(self) -> bool:
        return self._connection is not None and (self._connection.closed or self._connection.broken)

    def _lost(self, error: Exception) -> None:
        self.problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        log.warning("waiting for the database or the store: %s", self.problem)
        self.close()
