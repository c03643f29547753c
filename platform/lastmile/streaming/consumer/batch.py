"""What passes through the consumer: an assignment, a batch of messages read under it, and what is to be committed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from lastmile.streaming.consumer.positions import Claimed, Move
from lastmile.streaming.messages.batch import Messages
from lastmile.streaming.messages.debezium import Change


@dataclass(frozen=True, eq=False)
class Assignment:
    """Partitions as they were claimed together. What was read under another assignment is dropped."""

    claimed: Mapping[int, Claimed] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Messages as they were read. `ends` are the ends of all partitions of the assignment, as far as they are known."""

    assignment: Assignment
    messages: Messages
    ends: Mapping[int, int]


@dataclass(frozen=True)
class Prepared:
    """A batch ready for its transaction: what it adds by operator, what goes to quarantine, where positions move.

    With `events`, these are what the operators still have to reduce, once repeated ones are found.
    """

    assignment: Assignment
    moves: Sequence[Move]
    quarantine: pl.DataFrame
    reduced: Sequence[pl.DataFrame]
    ends: Mapping[int, int]
    events: pl.DataFrame | None = None
    #: Of a stream of changes of rows.
    changes: Sequence[Change] = ()
