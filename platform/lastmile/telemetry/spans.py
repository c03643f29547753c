"""Spans: what a process does, each with a name, attributes and a duration. Listeners make traces and metrics of them.

    with span("ingest.load", dataset="crop", drop=7) as done:
        ...
        done(rows=1000, bytes=52_000)

The one place of instrumentation: a new listener sees every span there is. Without a listener a span costs under a
microsecond. Names are `room.work`; attributes are numbers and short texts, and never personal. Four mean more:
`links` are traceparents of other traces, `problem` is why the work failed though nothing was raised, `began` is when,
in seconds since the epoch, what is recorded afterwards had begun, and what is `only_counted` is left out of traces: one
of many alike, for which the span around it stands.

A span has a place in a trace, which is carried from process to process as a `traceparent` (W3C), also where nothing is
traced here: a trace that a caller has begun goes through. Threads begin with nothing; `in_context` gives them what
their maker has.
"""

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

Result = TypeVar("Result")
#: Adds attributes that are known only later.
Done = Callable[..., None]

_HEADER = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


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


def mute(listener: Listener) -> None:
    """From here on it sees none."""
    _listeners.remove(listener)


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


def record(name: str, began: float, seconds: float, **attributes: Any) -> None:
    """Work that is over already."""
    attributes["began"] = began
    for listener in _listeners:
        listener.ended(listener.started(name, attributes), name, attributes, seconds, None)


def _nothing(**attributes: Any) -> None:
    pass


class Place(NamedTuple):
    """A span of a trace, both in hexadecimal digits."""

    trace: str
    span: str
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace}-{self.span}-{self.is_sampled:02x}"

    @classmethod
    def read(cls, traceparent: str | None) -> "Place | None":
        """None where it is not one: a caller's mistake costs its trace only."""
        found = _HEADER.fullmatch(traceparent or "")
        if found is None or (found[1] == "00" and found[5]):
            return None
        return cls(found[2], found[3], bool(int(found[4], 16) & 1))


_place: ContextVar[Place | None] = ContextVar("place", default=None)
_about: ContextVar[Mapping[str, Any]] = ContextVar("about", default=MappingProxyType({}))


def place() -> Place | None:
    """The span at hand, or the one that the work was carried here from."""
    return _place.get()


def move(to: Place | None) -> None:
    """From here on, the work of this context is part of that span."""
    _place.set(to)


def traceparent() -> str | None:
    """What to carry to another process."""
    here = _place.get()
    return here.traceparent if here else None


@contextmanager
def continuing(carried: str | None) -> Generator[None]:
    """The work of the block is part of the trace that was carried here; of none where that is None."""
    before = _place.get()
    _place.set(Place.read(carried))
    try:
        yield
    finally:
        _place.set(before)


@contextmanager
def joining(carried: str | None) -> Generator[Sequence[str]]:
    """The work of the block is part of the trace carried here, of which it may be part already. Where it leaves another
    one, yields that to be linked to."""
    before, other = _place.get(), Place.read(carried)
    if other is None or (before and before.trace == other.trace):
        yield ()
        return
    with continuing(carried):
        yield (before.traceparent,) if before else ()


def ids() -> Mapping[str, Any]:
    """The ids of the work at hand, such as `run`, `drop`, `dataset`."""
    return _about.get()


@contextmanager
def about(**of_work: Any) -> Generator[None]:
    """Log lines of the block carry these ids, next to those around it."""
    before = _about.get()
    _about.set({**before, **of_work})
    try:
        yield
    finally:
        _about.set(before)


def in_context(work: Callable[[], Result]) -> Callable[[], Result]:
    """The same for another thread: what it does is part of what is at hand here."""
    return partial(copy_context().run, work)
