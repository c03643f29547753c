"""Batches of a stream whose messages are changes of rows, as Debezium sends them: applied to the tables of now and of
history by the code that follows a database, in the transaction that commits their offsets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.ingestion.batch import Refused
from lastmile.settings import Settings
from lastmile.sources.changes.debezium import Envelopes
from lastmile.streaming.consumer import left_out
from lastmile.streaming.consumer.batch import Assignment, Batch, Prepared
from lastmile.streaming.consumer.positions import Claimed, Move
from lastmile.streaming.consumer.preparing import Landable, last_offsets
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.messages.debezium import Change, Debezium
from lastmile.streaming.schemas.registry import open_registry

if TYPE_CHECKING:
    from datetime import datetime


class RowChangePreparation:
    """Prepares the batches of one stream, in the order in which they were read: decoding has no effect."""

    def __init__(self) -> None:
        self._debezium = Debezium(lambda: open_registry(Settings.from_environment()))
        self._assignment: Assignment | None = None
        self._read: dict[int, Claimed] = {}
        #: Given by the consumer, and of no use: changes are not late, and are looked up nowhere.
        self.watermark: datetime | None = None
        self.tables: Mapping[str, pl.DataFrame] = {}

    def prepare(self, batch: Batch) -> tuple[Prepared, Landable | None]:
        """What of the batch is to be committed."""
        if batch.assignment is not self._assignment:
            self._assignment, self._read = batch.assignment, dict(batch.assignment.claimed)
        decoded = self._debezium.changes(batch.messages)
        begins = {number: one.committed or 0 for number, one in self._read.items()}
        changes = [one for one in decoded.found if one.place[1] >= begins[one.place[0]]]
        poison = left_out.poison(decoded.poison)
        first = pl.col("partition").replace_strict(begins, return_dtype=pl.Int64)
        rows = poison.filter(pl.col("offset") >= first) if poison.height else poison
        moves = []
        for partition, after in sorted(last_offsets(batch.messages).items()):
            read = self._read[partition]
            if after > begins[partition]:
                bad = rows.filter(rows["partition"] == partition).height
                moves.append(Move(partition, read.generation, read.committed, after, quarantined=bad))
                self._read[partition] = replace(read, committed=after)
        return Prepared(batch.assignment, moves, rows, (), batch.ends, changes=changes), None


class RowChanges:
    """Applies the changes of one stream, partition by partition."""

    def __init__(self, stream: Stream, contract: Contract) -> None:
        self._envelopes = Envelopes(stream.name, contract, stream.topic)

    def prepare(self, connection: Connection) -> None:
        """Make the tables."""
        self._envelopes.prepare(connection)

    def apply(self, connection: Connection, batch: Prepared) -> Prepared:
        """The batch with what became of its changes. Raises UserError where their columns do not fit the contract."""
        try:
            return replace(batch, moves=[self._applied(connection, move, batch.changes) for move in batch.moves])
        except Refused as refused:
            raise UserError(f"stream {self._envelopes.name}: {refused}") from None

    def _applied(self, connection: Connection, move: Move, changes: Sequence[Change]) -> Move:
        done = self._envelopes.apply(connection, [one for one in changes if one.place[0] == move.partition])
        return replace(
            move, events=done.changes, duplicate=done.repeated, quarantined=move.quarantined + done.quarantined
        )
