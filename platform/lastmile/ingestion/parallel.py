"""The drops of several partitions at once in one process, within one budget of memory.

Nothing a drop can meet lies outside its partition, so what comes out is what taking them one after the other gives. In
a partition drops are taken in their order, by one thread: which of two equal rows is the first must not be chance.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from threading import Condition, Event, Lock

import polars as pl
from psycopg import Connection

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.ingestion.worker import MAX_DROPS, Report, ingest_pending
from lastmile.ledger import Drop, Outcome
from lastmile.store import Store

#: Bytes of drops in hand at any time; one that is larger is alone, and takes no more for it: it comes in batches.
MOST_BYTES = 64 * 1024 * 1024
#: A drop may be compressed: text shrinks about so much.
_SWELLING = 8
#: However many cores there are: each has a connection.
_MOST_AT_ONCE = 8


class Budget:
    """Bytes that threads share, granted in the order in which they ask: a large drop is not put off for ever."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._turn, self._freed = Lock(), Condition()

    @contextmanager
    def hold(self, amount: int) -> Iterator[None]:
        """Wait for so many bytes, or for all there are where it is more, and give them back at the end."""
        amount = min(amount, self._total)
        with self._turn, self._freed:
            self._freed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._freed:
                self._free += amount
                self._freed.notify_all()


class _Stopped(Exception):
    """Another thread failed, or the run is canceled: the drops not begun are left for the next run."""


def ingest_in_parallel(
    connect: Callable[[], AbstractContextManager[Connection]],
    store: Store,
    contract: Contract,
    partitions: Sequence[str],
    run_id: str,
    redo: bool | datetime = False,
    report: Report = lambda drop, outcome: None,
    at_once: int | None = None,
) -> list[Outcome]:
    """What `ingest_pending` does, for `at_once` partitions at a time; each thread has a connection by `connect`.

    If not given, that is as many as polars has threads: the machine's cores, unless it is told otherwise.

    The first error is raised when the drops in hand elsewhere have come to their end.
    """
    at_once = min(at_once or min(pl.thread_pool_size(), _MOST_AT_ONCE), len(partitions))
    with connect() as connection:
        if at_once < 2:
            return ingest_pending(connection, store, contract, partitions, run_id, redo, report)
        redo = ledger.now(connection) if redo is True else redo
    shares = [partitions[place::at_once] for place in range(at_once)]
    budget, reporting, stopping = Budget(MOST_BYTES), Lock(), Event()

    def tell(drop: Drop, outcome: Outcome) -> None:
        with reporting:
            report(drop, outcome)

    @contextmanager
    def hold(drops: Sequence[Drop]) -> Iterator[None]:
        with budget.hold(_SWELLING * sum(drop.size for drop in drops)):
            if stopping.is_set():
                raise _Stopped
            yield

    def take(share: Sequence[str]) -> list[Outcome]:
        try:
            with connect() as connection:
                most = None if redo else MAX_DROPS // len(shares)
                return ingest_pending(connection, store, contract, share, run_id, redo, tell, most, hold)
        except BaseException:
            stopping.set()
            raise

    with ThreadPoolExecutor(len(shares), "partitions") as pool:
        try:
            taken = [pool.submit(take, share) for share in shares]
            failed = [error for future in taken if (error := future.exception())]
        except BaseException:
            stopping.set()
            raise
    for error in failed:
        if not isinstance(error, _Stopped):
            raise error
    return [outcome for future in taken for outcome in future.result()]
