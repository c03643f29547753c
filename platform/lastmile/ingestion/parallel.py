"""The drops of several partitions in parallel in one process, within one memory budget.

A drop depends on nothing outside its partition, so the result is that of ingesting the partitions one after the other.
Within a partition drops are ingested in order, by one thread: which of two equal rows is the first must not be chance.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from threading import Condition, Event, Lock

import polars as pl
from psycopg import Connection

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.ingestion.worker import MAX_DROPS, Report, Stopped, ingest_pending
from lastmile.ledger import Drop, Outcome
from lastmile.store import Store
from lastmile.telemetry.spans import in_context

#: Drops in progress at any time; a larger one runs alone, and needs no more memory: it is read in batches.
BUDGET_BYTES = 64 * 1024 * 1024
#: A drop may be compressed: text shrinks by about this factor.
_EXPANSION = 8
#: However many cores there are: each thread has a connection.
_MAX_THREADS = 8


class Budget:
    """Bytes shared by threads, granted in the order of the requests: a large drop is never postponed for ever."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._turn, self._freed = Lock(), Condition()

    @contextmanager
    def reserve(self, amount: int) -> Iterator[None]:
        """Wait for this many bytes, or for the whole budget where it is less, and return them at the end."""
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


def _raise_first(failed: Sequence[BaseException]) -> None:
    """That of a thread which was stopped for another one's says nothing."""
    for error in failed:
        if not isinstance(error, Stopped):
            raise error


def ingest_in_parallel(
    connect: Callable[[], AbstractContextManager[Connection]],
    store: Store,
    contract: Contract,
    partitions: Sequence[str],
    run_id: str,
    redo: bool | datetime = False,
    report: Report = lambda drop, outcome: None,
    threads: int | None = None,
) -> list[Outcome]:
    """As `ingest_pending`, for `threads` partitions at a time; each thread has a connection from `connect`.

    The default is the number of polars' threads: the machine's cores, unless configured otherwise. The first error is
    raised once the drops in progress on the other threads are finished; so is an interrupt of this one.
    """
    threads = min(threads or min(pl.thread_pool_size(), _MAX_THREADS), len(partitions))
    with connect() as connection:
        if threads < 2:
            return ingest_pending(connection, store, contract, partitions, run_id, redo, report)
        redo = ledger.now(connection) if redo is True else redo
    shares = [partitions[start::threads] for start in range(threads)]
    budget, reporting, stopping = Budget(BUDGET_BYTES), Lock(), Event()

    def report_in_turn(drop: Drop, outcome: Outcome) -> None:
        with reporting:
            report(drop, outcome)

    @contextmanager
    def reserve(drops: Sequence[Drop]) -> Iterator[None]:
        with budget.reserve(_EXPANSION * sum(drop.size for drop in drops)):
            proceed()
            yield

    def proceed() -> None:
        if stopping.is_set():
            raise Stopped("the run is to end")

    def ingest(share: Sequence[str]) -> list[Outcome]:
        try:
            with connect() as connection:
                limit = None if redo else MAX_DROPS // len(shares)
                return ingest_pending(
                    connection, store, contract, share, run_id, redo, report_in_turn, limit, reserve, proceed
                )
        except BaseException:
            stopping.set()
            raise

    with ThreadPoolExecutor(len(shares), "partitions") as pool:
        try:
            ingested = [pool.submit(in_context(partial(ingest, share))) for share in shares]
            failed = [error for future in ingested if (error := future.exception())]
        except BaseException:
            stopping.set()
            raise
    _raise_first(failed)
    return [outcome for future in ingested for outcome in future.result()]
