"""The transaction of a batch: positions, what was made of the events, and what was left out, all or nothing.

Rows are locked in one order by all processes of a stream: their own positions, keys, windows, and last the watermark.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl
from psycopg import Connection

from lastmile.quarantine.messages import quarantine_messages
from lastmile.streaming.consumer import positions
from lastmile.streaming.consumer.batch import Prepared
from lastmile.streaming.consumer.row_changes import RowChanges
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.dedup import Dedup
from lastmile.streaming.operators import Operator

#: How often it is recorded which partitions have more to be read.
TICK_SECONDS = 1.0
#: How often keys are forgotten.
_FORGET_SECONDS = 30.0


class Commits:
    """Commits the batches of one stream, one after the other."""

    def __init__(
        self, stream: Stream, operators: Sequence[Operator], dedup: Dedup | None, rows: RowChanges | None = None
    ) -> None:
        self._stream, self._operators, self._dedup, self._rows = stream, operators, dedup, rows
        self._committed: dict[int, int] = {}
        #: Partitions that the watermark goes by.
        self._known: set[int] = set()
        #: Partitions whose end is recorded.
        self._ended: set[int] = set()
        self._see_due, self._forget_due = 0.0, time.monotonic() + _FORGET_SECONDS
        #: The watermark as of the last commit.
        self.watermark: datetime | None = None

    def begin(self, connection: Connection) -> None:
        """Make a new connection ready: what the operators keep is there."""
        for operator in self._operators:
            operator.prepare(connection)
        if self._dedup:
            self._dedup.prepare(connection)
        if self._rows:
            self._rows.prepare(connection)
        self.watermark = positions.stored_watermark(connection, self._stream.name)

    def commit(self, connection: Connection, batch: Prepared, every: Collection[int] | None = ()) -> int:
        """How many events were committed; none of a batch that was before, when the answer was lost.

        `every` are the partitions that the topic has: the watermark waits for those that were added, and stays where
        it is while that is not known. Raises Fenced where a partition is another's by now; nothing is committed then.
        """
        name, topic = self._stream.name, self._stream.topic
        now = time.monotonic()
        with connection.transaction():
            if not positions.hold(connection, name, topic, batch.moves):
                return 0
            batch = self._reduced(connection, batch)
            if self._rows and batch.changes:
                batch = self._rows.apply(connection, batch)
            if batch.quarantine.height:
                quarantine_messages(connection, name, topic, batch.quarantine)
            positions.move(connection, name, topic, batch.moves)
            if is_seen := now >= self._see_due or not batch.ends.keys() <= self._ended:
                self._see(connection, batch)
            if added := set(every or ()) - self._known:
                positions.add(connection, name, topic, added)
            before, watermark = self._watermarks(connection)
            if every is None:
                watermark = before
            for operator, reduced in zip(self._operators, batch.reduced, strict=True):
                operator.apply(connection, reduced, watermark)
            if self._dedup and watermark and now >= self._forget_due:
                self._dedup.forget(connection, watermark)
            if watermark is not None and watermark != before:
                positions.advance(connection, name, watermark)
        self._known |= set(every or ())
        self._committed |= {move.partition: move.after for move in batch.moves}
        self._ended |= batch.ends.keys()
        self._see_due = now + TICK_SECONDS if is_seen else self._see_due
        self._forget_due = now + _FORGET_SECONDS if now >= self._forget_due else self._forget_due
        self.watermark = watermark
        return sum(one.events for one in batch.moves)

    def _reduced(self, connection: Connection, batch: Prepared) -> Prepared:
        """The batch without repeated events, where those are looked for."""
        if self._dedup is None or batch.events is None:
            return batch
        first = self._dedup.first(connection, batch.events)
        before, after = _by_partition(batch.events), _by_partition(first)
        repeated = {number: count - after.get(number, 0) for number, count in before.items()}
        moves = [
            replace(move, events=move.events - repeated[move.partition], duplicate=repeated[move.partition])
            if repeated.get(move.partition)
            else move
            for move in batch.moves
        ]
        return replace(batch, moves=moves, reduced=[one.reduce(first) for one in self._operators])

    def _see(self, connection: Connection, batch: Prepared) -> None:
        claimed = batch.assignment.claimed
        read = {move.partition: move.after for move in batch.moves}
        known = {
            number: max(one.committed or 0, self._committed.get(number, 0), read.get(number, 0))
            for number, one in claimed.items()
        }
        behind = [number for number in claimed if number not in batch.ends or known[number] < batch.ends[number]]
        ends: Mapping[int, int | None] = {number: batch.ends.get(number) for number in claimed}
        positions.see(connection, self._stream.name, self._stream.topic, ends, behind)

    def _watermarks(self, connection: Connection) -> tuple[datetime | None, datetime | None]:
        """As stored, and as it is now."""
        stream = self._stream
        before = positions.stored_watermark(connection, stream.name)
        now = positions.watermark(connection, stream.name, stream.topic, stream.lateness, stream.idle_after)
        return before, now


def _by_partition(events: pl.DataFrame) -> dict[int, int]:
    return dict(events.group_by("_partition").len().iter_rows())
