"""What lies between two threads: a few items in order, until the one that puts them closes it."""

import queue
import threading
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_LOOK_SECONDS = 0.2


class Dead(Exception):
    """Another thread of the process has failed: nothing goes on."""


class Channel(Generic[T]):
    """At most `size` items; who puts one more waits. Everybody who waits ends once `dead` is set."""

    def __init__(self, size: int, dead: threading.Event) -> None:
        self._items: queue.Queue[T | None] = queue.Queue(size)
        self._dead = dead

    def put(self, item: T) -> None:
        """Raises Dead."""
        self._put(item)

    def close(self) -> None:
        """No more will come. Raises Dead."""
        self._put(None)

    def __iter__(self) -> Iterator[T]:
        """All items until it is closed. Raises Dead."""
        for item in self.within(None):
            if item is not None:
                yield item

    def within(self, seconds: float | None) -> Iterator[T | None]:
        """The same, with None for each time that so many seconds passed without an item."""
        waited = 0.0
        while True:
            if self._dead.is_set():
                raise Dead
            try:
                item = self._items.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                waited += _LOOK_SECONDS
                if seconds is not None and waited >= seconds:
                    waited = 0.0
                    yield None
                continue
            if item is None:
                return
            waited = 0.0
            yield item

    def _put(self, item: T | None) -> None:
        while not self._dead.is_set():
            try:
                self._items.put(item, timeout=_LOOK_SECONDS)
            except queue.Full:
                continue
            return
        raise Dead
