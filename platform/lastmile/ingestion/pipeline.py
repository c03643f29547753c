"""The stages of a load in parallel, at bounded memory: read and validate, encode, send to Postgres, write Parquet.

Reading and validating the next batch overlaps with sending and writing the last one. Each stage is a thread that
processes batches in order; at most a few are in flight at any time, which bounds memory.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

from lastmile.telemetry.spans import in_context

Item = TypeVar("Item")


class Stage:
    """Calls functions one after another on a thread; `call` waits until the previous one has begun.

    An error in one is raised by a later `call`, or on leaving, and what comes after it is not executed. A single call
    is made on leaving, by the leaving thread: for a small drop a thread costs more than it saves.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._first: Callable[[], object] | None = None
        self._in_flight: list[Future[object]] = []

    def __enter__(self) -> Self:
        return self

    def call(self, work: Callable[[], object]) -> None:
        """Execute the work after all earlier calls."""
        work = in_context(work)
        if self._first is None and not self._in_flight:
            self._first = work
            return
        if self._first is not None:
            self._in_flight.append(self._pool.submit(self._first))
            self._first = None
        while len(self._in_flight) > 1:
            self._in_flight.pop(0).result()
        self._in_flight.append(self._pool.submit(work))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if self._first is not None:
                    self._first()
                for done in self._in_flight:
                    done.result()
        finally:
            self._pool.shutdown(cancel_futures=True)


def prefetched(items: Iterator[Item]) -> Iterator[Item]:
    """The items in order; each but the first two is produced on a thread while the previous one is processed."""
    waiting = list(islice(items, 2))
    if len(waiting) < 2:
        yield from waiting
        return
    yield waiting.pop(0)
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        while waiting:
            following = pool.submit(in_context(lambda: list(islice(items, 1))))
            yield waiting.pop()
            waiting = following.result()
