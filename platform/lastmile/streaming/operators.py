"""What a stream makes of its events, in the transaction that commits their positions.

`reduce` is pure and looks at one batch; what it gives is small, and is applied in the transaction. Applying the parts
of all batches in any order, by any process, must give the same tables. `apply` is called about once a second without
rows too, when the watermark may have advanced, and locks the rows that it writes in one order for all processes.
"""

from datetime import datetime
from typing import Protocol

import polars as pl
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.declarations.windows import Tumbling


class Operator(Protocol):
    """One table, or a few, that a stream keeps."""

    def prepare(self, connection: Connection) -> None:
        """Create what it keeps, where it is not there. Raises UserError where what is there is another's."""

    def reduce(self, events: pl.DataFrame) -> pl.DataFrame:
        """What a batch of valid events, after the steps, adds."""

    def apply(self, connection: Connection, reduced: pl.DataFrame, watermark: datetime | None) -> None:
        """Add it, and finish what is older than the watermark."""


def operators(stream: Stream, contract: Contract) -> list[Operator]:
    """Those of a stream, in the order in which they are applied."""
    from lastmile.streaming.windows.tumbling import TumblingTable

    schema = stream.schema(contract)
    return [
        TumblingTable(stream.name, stream.event_time, window, schema)
        for window in stream.windows
        if isinstance(window, Tumbling)
    ]
