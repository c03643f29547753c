"""What a stream makes of its events, in the transaction that commits their positions.

`reduce` is pure and looks at one batch; what it gives is small, and is applied in the transaction. Applying the parts
of all batches in any order, by any process, must give the same tables. `apply` is called about once a second without
rows too, when the watermark may have advanced, and locks the rows that it writes in one order for all processes.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import polars as pl
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.declarations.windows import Session

if TYPE_CHECKING:
    from lastmile.streaming.windows.sessions import Sessions
    from lastmile.streaming.windows.spans import Spans


class Operator(Protocol):
    """One table, or a few, that a stream keeps."""

    def prepare(self, connection: Connection) -> None:
        """Create what it keeps, where it is not there. Raises UserError where what is there is another's."""

    def reduce(self, events: pl.DataFrame) -> pl.DataFrame:
        """What a batch of valid events, after the steps, adds."""

    def apply(self, connection: Connection, reduced: pl.DataFrame, watermark: datetime | None) -> None:
        """Add it, and finish what is older than the watermark."""


#: Other streams with their contracts, by name: those that are joined.
Others = Mapping[str, tuple[Stream, Contract]]


def operators(stream: Stream, contract: Contract, others: Others = MappingProxyType({})) -> list[Operator]:
    """Those of a stream, in the order in which they are applied: its windows, then the joins it has a part in by name,
    the same for all streams."""
    from lastmile.streaming.joins.pairs import Pairs, PairSide

    sides: dict[str, Operator] = {}
    for join in stream.joins:
        if join.stream not in others:
            raise UserError(f"stream {stream.name}, join {join.name}: no stream {join.stream!r}")
        other, of_other = others[join.stream]
        pairs = Pairs(join, stream.schema(contract), other.schema(of_other))
        sides[join.name] = PairSide(pairs, "ours", stream.name, stream.event_time)
    for other, of_other in others.values():
        for join in other.joins:
            if join.stream == stream.name:
                pairs = Pairs(join, other.schema(of_other), stream.schema(contract))
                sides[join.name] = PairSide(pairs, "theirs", other.name, stream.event_time)
    return [*windows_of(stream, contract), *(sides[name] for name in sorted(sides))]


def windows_of(stream: Stream, contract: Contract) -> "list[Spans | Sessions]":
    """The operators of its windows."""
    from lastmile.streaming.windows.sessions import Sessions
    from lastmile.streaming.windows.spans import Spans

    schema = stream.schema(contract)
    return [
        Sessions(stream.name, stream.event_time, stream.late, window, schema)
        if isinstance(window, Session)
        else Spans(stream.name, stream.event_time, window, schema)
        for window in stream.windows
    ]
