"""Work done beside the rest: on one thread, in the order it was given, and never far behind.

Reading and judging the next batch goes on while the last one is sent and written. What is under way is bounded, so that
memory is too; and whoever leaves has either all of it done, or the error that stopped it.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

Item = TypeVar("Item")


class Background:
    """Calls functions one after another on a thread; `call` waits until the one before has begun.

    An error in one is raised by a later `call`, or on leaving; what comes after it is not done. A single call is made
    on leaving, by whoever leaves: for a small drop a thread costs more than it saves.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._first: Callable[[], object] | None = None
        self._under_way: list[Future[object]] = []

    def __enter__(self) -> Self:
        return self

    def call(self, work: Callable[[], object]) -> None:
        """Have the work done after all that was given before it."""
        if self._first is None and not self._under_way:
            self._first = work
            return
        if self._first is not None:
            self._under_way.append(self._pool.submit(self._first))
            self._first = None
        while len(self._under_way) > 1:
            self._under_way.pop(0).result()
        self._under_way.append(self._pool.submit(work))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if self._first is not None:
                    self._first()
                for done in self._under_way:
                    done.result()
        finally:
            self._pool.shutdown(cancel_futures=True)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items in their order; each but the first two is made on a thread, while the one before is worked on."""
    waiting = list(islice(items, 2))
    if len(waiting) < 2:
        yield from waiting
        return
    yield waiting.pop(0)
    with ThreadPoolExecutor(1, thread_name_prefix="read") as pool:
        while waiting:
            coming = pool.submit(lambda: list(islice(items, 1)))
            yield waiting.pop()
            waiting = coming.result()
