"""Requests that arrive while a commit is under way are written together with the next one.

A commit waits for the disk, whatever its size: one for each request would be a few hundred a second, one for all that
wait is thousands. No request waits for others to arrive: when nothing is under way, it is committed at once.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from psycopg import OperationalError
from psycopg.errors import DeadlockDetected, SerializationFailure

from lastmile.errors import Unreachable

log = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

#: More than these wait only where the database is far too slow: better to say so than to grow.
MOST_WAITING = 5_000


class GroupCommit(Generic[T, R]):
    """`commit` writes items in one transaction and gives the result of each, in their order.

    Of a commit that fails for one item's own fault, each item is tried by itself, so that no request pays for another.
    `weight` of an item counts towards `most` of one commit.
    """

    def __init__(self, commit: Callable[[Sequence[T]], Sequence[R]], weight: Callable[[T], int], most: int) -> None:
        self._commit, self._weight, self._most = commit, weight, most
        self._waiting: queue.SimpleQueue[tuple[T, Future[R]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="group commit", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Returns when all that waits is committed."""
        self._waiting.put(None)
        self._thread.join()

    def submit(self, item: T) -> "Future[R]":
        """Its result, once it is durable. Raises Unreachable where too many wait already."""
        if self._waiting.qsize() >= MOST_WAITING:
            raise Unreachable(f"{MOST_WAITING:,} requests wait to be written already; try again in a few seconds")
        future: Future[R] = Future()
        self._waiting.put((item, future))
        return future

    def _run(self) -> None:
        ended = False
        while not ended:
            items, futures, ended = self._next()
            if items:
                self._write(items, futures)

    def _next(self) -> tuple[list[T], "list[Future[R]]", bool]:
        """All that waits now, up to what one commit may have; waits for the first."""
        items: list[T] = []
        futures: list[Future[R]] = []
        weight = 0
        while weight < self._most:
            try:
                found = self._waiting.get(block=not items)
            except queue.Empty:
                break
            if found is None:
                return items, futures, True
            item, future = found
            if future.set_running_or_notify_cancel():  # its client may be gone
                items.append(item)
                futures.append(future)
                weight += self._weight(item)
        return items, futures, False

    def _write(self, items: list[T], futures: "list[Future[R]]") -> None:
        try:
            results = self._tried(items)
        except OperationalError as error:
            _fail(futures, error)
        except Exception as error:
            if len(items) == 1:
                _fail(futures, error)
                return
            log.warning("a commit of %s requests failed, each is tried by itself: %s", len(items), error)
            for item, future in zip(items, futures, strict=True):
                self._write([item], [future])
        else:
            for future, result in zip(futures, results, strict=True):
                future.set_result(result)

    def _tried(self, items: list[T]) -> Sequence[R]:
        try:
            return self._commit(items)
        except (DeadlockDetected, SerializationFailure):
            return self._commit(items)


def _fail(futures: "list[Future[R]]", error: Exception) -> None:
    for future in futures:
        future.set_exception(error)
