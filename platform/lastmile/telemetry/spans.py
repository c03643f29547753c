"""Spans: what a process does, each with a name, attributes and a duration. Listeners make traces and metrics of them.

    with span("ingest.load", dataset="crop", drop=7) as done:
        ...
        done(rows=1000, bytes=52_000)

The one place of instrumentation: a new listener sees every span there is. Without a listener a span costs under a
microsecond. Names are `room.work`; attributes are numbers and short texts, and never personal.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, Protocol

#: Adds attributes that are known only later.
Done = Callable[..., None]


class Listener(Protocol):
    """Is called in the thread of the span. What `started` returns is handed to `ended`."""

    def started(self, name: str, attributes: dict[str, Any]) -> Any: ...

    def ended(
        self, state: Any, name: str, attributes: dict[str, Any], seconds: float, error: BaseException | None
    ) -> None: ...


_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """From here on the listener sees every span of this process."""
    _listeners.append(listener)


@contextmanager
def span(name: str, **attributes: Any) -> Generator[Done]:
    """The work of the block."""
    if not _listeners:
        yield _nothing
        return
    listeners = list(_listeners)
    states = [listener.started(name, attributes) for listener in listeners]
    error, since = None, perf_counter()
    try:
        yield attributes.update
    except BaseException as raised:
        error = raised
        raise
    finally:
        seconds = perf_counter() - since
        for listener, state in zip(reversed(listeners), reversed(states), strict=True):
            listener.ended(state, name, attributes, seconds, error)


def _nothing(**attributes: Any) -> None:
    pass
