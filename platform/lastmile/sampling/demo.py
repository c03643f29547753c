"""What a domain declares so that `lastmile stream demo` can make events of a stream: a `demo` in a file of `demos/`.

demo = Demo(
    name="page_views",
    description="visitors of a shop",
    make=make,
)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from lastmile.contracts.broken import Declarations
from lastmile.contracts.loading import load
from lastmile.errors import UserError


class Make(Protocol):
    """Events from a moment on, in the order in which they are sent, without end; most happen soon after one another.

    The same arguments give the same events.
    """

    def __call__(self, start: datetime, seed: int) -> Iterator[Mapping[str, Any]]: ...


@dataclass(frozen=True)
class Demo:
    """Made-up events of a stream; `name` is the stream's."""

    name: str
    description: str
    make: Make


def load_demos(assets: str) -> Declarations[Demo]:
    """The variable `demo` of every file in a domain's `demos/`, by the name of its stream."""
    return load(assets, "demos", "demo", Demo, lambda _, demo: demo)


def demo_of(name: str, demos: Mapping[str, Demo]) -> Demo:
    """Raises UserError, with the names there are."""
    if name not in demos:
        raise UserError(f"no demo of a stream {name!r}; there are: {', '.join(sorted(demos)) or 'none'}")
    return demos[name]
