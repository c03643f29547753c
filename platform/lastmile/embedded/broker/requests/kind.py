"""A kind of request, and one request of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from lastmile.embedded.broker.broker import Broker
from lastmile.embedded.broker.wire import Reader, Writer


@dataclass(frozen=True)
class Request:
    """A request of a `version`, read after its header; `writer` has the header of its answer."""

    broker: Broker
    reader: Reader
    writer: Writer
    version: int
    client: str
    host: str


@dataclass(frozen=True)
class Kind:
    """Versions from `first` to `last` are answered; `answer` says whether there is an answer to send.

    Some clients look for versions that nothing speaks any more to know what the broker can: those are `offered_from`.
    """

    key: int
    first: int
    last: int
    answer: Callable[[Request], Awaitable[bool]]
    also_from: int | None = None

    @property
    def offered_from(self) -> int:
        return self.first if self.also_from is None else self.also_from
