"""A batch of messages made ready for its transaction: decoded, validated, late events found, steps and operators done.

Nothing here has an effect. Whether an event is late is seen from what came before it in its own partition, so it does
not depend on how messages were cut into batches, nor on how far other partitions were read. Only a partition that had
been idle is also held to the watermark, which went on without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.streaming.consumer import left_out
from lastmile.streaming.consumer.batch import Assignment, Batch, Prepared
from lastmile.streaming.consumer.positions import Move
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.messages.batch import Decoded, Messages
from lastmile.streaming.messages.codecs import Codec
from lastmile.streaming.operators import Operator
from lastmile.streaming.validation import Validated, Validation

#: An event that is so much newer than now has a wrong clock; it would make all others late.
AHEAD = timedelta(hours=1)


@dataclass
class _Read:
    """How far a partition is prepared: the offset it is to be committed from, and its newest event."""

    generation: int
    committed: int | None
    event_time: datetime | None


@dataclass(frozen=True)
class Landable:
    """Events that become drops, by partition the offset behind the last message that was looked at."""

    assignment: Assignment
    events: pl.DataFrame
    behind: dict[int, int]


class Preparation:
    """Prepares the batches of one stream, in the order in which they were read."""

    def __init__(
        self, stream: Stream, contract: Contract, codec: Codec, operators: Sequence[Operator], dedups: bool
    ) -> None:
        self._stream, self._codec, self._operators, self._dedups = stream, codec, operators, dedups
        self._validation = Validation(contract)
        nothing = pl.DataFrame(schema=dict(stream.schema(contract)))
        self._nothing = [one.reduce(nothing) for one in operators]
        self._assignment: Assignment | None = None
        self._read: dict[int, _Read] = {}
        #: The watermark as it was last committed.
        self.watermark: datetime | None = None
        #: The tables that events are looked up in.
        self.tables: Mapping[str, pl.DataFrame] = {}

    def prepare(self, batch: Batch) -> tuple[Prepared, Landable | None]:
        """What of the batch is to be committed, and to be landed."""
        self._follow(batch.assignment)
        if not len(batch.messages):
            return Prepared(batch.assignment, (), left_out.NONE, self._nothing, batch.ends), None
        decoded = self._codec.decode(batch.messages)
        behind, begins = last_offsets(batch.messages), self._begins()
        validated = self._validation.validate(decoded.frame)
        prepared = self._committable(batch, _from(decoded, begins), _valid_from(validated, begins), behind)
        landable = Landable(batch.assignment, validated.fitting, behind) if self._stream.lands else None
        return prepared, landable

    def _follow(self, assignment: Assignment) -> None:
        if assignment is not self._assignment:
            self._assignment = assignment
            self._read = {
                one.partition: _Read(one.generation, one.committed, one.event_time)
                for one in assignment.claimed.values()
            }

    def _begins(self) -> dict[int, int]:
        """The offsets below which everything is committed, where anything is."""
        return {number: one.committed for number, one in self._read.items() if one.committed is not None}

    def _committable(self, batch: Batch, decoded: Decoded, validated: Validated, behind: dict[int, int]) -> Prepared:
        valid, ahead = self._without_ahead(validated.valid)
        on_time, late, floors = self._sorted(valid)
        old, of_old = self._too_late(late, floors)
        parts = [
            left_out.poison(decoded.poison),
            left_out.bad(validated.refused),
            left_out.bad(validated.bad) if not self._stream.lands else left_out.NONE,
            left_out.ahead(self._stream, ahead),
            left_out.late(self._stream, late, floors) if self._stream.late == "quarantine" else left_out.NONE,
            left_out.old(self._stream, old, of_old),
        ]
        counted = _without(valid, old) if self._stream.late == "update" else on_time
        rows = pl.concat(parts)
        moves = self._moves(behind, valid, counted, late, rows)
        events = self._stream.stepped(counted, self.tables)
        ready = Prepared(batch.assignment, moves, rows, (), batch.ends)
        if self._dedups:
            return replace(ready, events=events)
        return replace(ready, reduced=[one.reduce(events) for one in self._operators])

    def _without_ahead(self, valid: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        newest = valid[self._stream.event_time].max() if valid.height else None
        limit = datetime.now(UTC) + AHEAD
        if not isinstance(newest, datetime) or newest <= limit:
            return valid, valid.clear()
        is_ahead = pl.col(self._stream.event_time) > limit
        return valid.filter(~is_ahead), valid.filter(is_ahead)

    def _sorted(self, valid: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Events on time, late ones, and of each late one the time before which it was expected."""
        if not valid.height:
            return valid, valid, valid
        time, lateness = pl.col(self._stream.event_time), self._stream.lateness
        spans = valid.group_by("_partition").agg(time.min().alias("oldest"), time.max().alias("newest"))
        if all(self._has_none_late(*row) for row in spans.iter_rows()):
            return valid, valid.clear(), valid
        known = {number: one.event_time for number, one in self._read.items()}
        before = pl.DataFrame(
            {"_partition": list(known), "before": list(known.values())},
            schema={"_partition": pl.Int32, "before": pl.Datetime("us", "UTC")},
        )
        newest = pl.max_horizontal("before", time.cum_max().shift(1).over("_partition"))
        floor = pl.max_horizontal(newest - lateness, pl.lit(self.watermark, pl.Datetime("us", "UTC")))
        marked = valid.join(before, on="_partition", how="left", maintain_order="left").with_columns(floor=floor)
        is_late = (time < pl.col("floor")).fill_null(False)
        late = marked.filter(is_late)
        return marked.filter(~is_late).select(valid.columns), late.select(valid.columns), late.select("floor")

    def _too_late(self, late: pl.DataFrame, floors: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Late events of which it is no longer known whether they came before, and their floors."""
        if not late.height or not self._dedups or self._stream.late != "update":
            return late.clear(), floors.clear()
        is_old = late[self._stream.event_time] < floors["floor"] - self._stream.late_until
        return late.filter(is_old), floors.filter(is_old)

    def _has_none_late(self, partition: int, oldest: datetime, newest: datetime) -> bool:
        before = self._read[partition].event_time
        latest = newest if before is None else max(before, newest)
        return oldest >= latest - self._stream.lateness and (self.watermark is None or oldest >= self.watermark)

    def _moves(
        self,
        behind: dict[int, int],
        valid: pl.DataFrame,
        counted: pl.DataFrame,
        late: pl.DataFrame,
        rows: pl.DataFrame,
    ) -> list[Move]:
        newest = dict(valid.group_by("_partition").agg(pl.col(self._stream.event_time).max()).iter_rows())
        events, of_late = _counts(counted, "_partition"), _counts(late, "_partition")
        quarantined = _counts(rows, "partition")
        moves = []
        for partition, after in sorted(behind.items()):
            read = self._read[partition]
            if read.committed is not None and after <= read.committed:
                continue
            moves.append(
                Move(
                    partition,
                    read.generation,
                    read.committed,
                    after,
                    newest.get(partition),
                    events.get(partition, 0),
                    of_late.get(partition, 0),
                    0,
                    quarantined.get(partition, 0),
                )
            )
            times = [time for time in (read.event_time, newest.get(partition)) if time is not None]
            self._read[partition] = _Read(read.generation, after, max(times, default=None))
        return moves


def last_offsets(messages: Messages) -> dict[int, int]:
    """By partition the offset behind its last message."""
    return {partition: offset + 1 for partition, offset in zip(messages.partitions, messages.offsets, strict=True)}


def _without(events: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The events but those that are among others."""
    place = ["_partition", "_offset", "_index"]
    return events.join(others, on=place, how="anti", maintain_order="left") if others.height else events


def _not_before(begins: dict[int, int], partition: str, offset: str) -> pl.Expr | None:
    if not begins:
        return None
    first = pl.col(partition).replace_strict(begins, default=None, return_dtype=pl.Int64)
    return (pl.col(offset) >= first).fill_null(True)


def _from(decoded: Decoded, begins: dict[int, int]) -> Decoded:
    """Without the messages that are committed already."""
    kept = _not_before(begins, "_partition", "_offset")
    return (
        decoded if kept is None or not decoded.poison.height else replace(decoded, poison=decoded.poison.filter(kept))
    )


def _valid_from(validated: Validated, begins: dict[int, int]) -> Validated:
    """Without the events that are committed already; what is to be landed stays."""
    kept = _not_before(begins, "_partition", "_offset")
    if kept is None or (not _any_before(validated.fitting, begins) and not validated.refused.height):
        return validated
    return replace(
        validated,
        valid=validated.valid.filter(kept),
        bad=validated.bad.filter(kept),
        refused=validated.refused.filter(kept),
    )


def _any_before(events: pl.DataFrame, begins: dict[int, int]) -> bool:
    firsts = events.group_by("_partition").agg(pl.col("_offset").min())
    return any(offset < begins.get(partition, 0) for partition, offset in firsts.iter_rows())


def _counts(frame: pl.DataFrame, column: str) -> dict[int, int]:
    return dict(frame.group_by(column).len().iter_rows()) if frame.height else {}
