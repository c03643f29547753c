"""Idempotent producers: which batches of each a partition has, so that a retry is recognised.

As in Kafka, the last five batches of a producer are remembered, since as many may be under way at once, and a producer
of which nothing is known may begin at any sequence.
"""

from collections import OrderedDict, deque
from typing import NamedTuple

from lastmile.embedded.broker.batches import Batch
from lastmile.embedded.broker.errors import Code, Refused

REMEMBERED = 5
#: Producers that have written nothing for the longest are forgotten beyond so many.
MOST_PRODUCERS = 10_000
_SEQUENCES = 2**31


class Appended(NamedTuple):
    """A batch that the partition has."""

    epoch: int
    sequence: int
    records: int
    base_offset: int

    @property
    def following(self) -> int:
        """The sequence of the next batch; after the largest number comes 0."""
        return (self.sequence + self.records) % _SEQUENCES


class Sequences:
    """The producers of one partition, the one that wrote last at the end."""

    def __init__(self) -> None:
        self._producers: OrderedDict[int, deque[Appended]] = OrderedDict()

    def earlier(self, batch: Batch) -> int | None:
        """The offset under which the partition has this batch already; None where it is the next of its producer.

        Raises Refused where it is neither.
        """
        known = self._producers.get(batch.producer_id)
        if batch.producer_id < 0 or not known:
            return None
        last = known[-1]
        if batch.producer_epoch < last.epoch:
            raise Refused(Code.INVALID_PRODUCER_EPOCH, f"epoch {batch.producer_epoch} after {last.epoch}")
        if batch.producer_epoch > last.epoch:
            if batch.sequence != 0:
                raise Refused(Code.OUT_OF_ORDER_SEQUENCE_NUMBER, f"a new epoch begins at {batch.sequence}, not 0")
            return None
        for one in known:
            if (one.epoch, one.sequence, one.records) == (batch.producer_epoch, batch.sequence, batch.count):
                return one.base_offset
        if batch.sequence == last.following:
            return None
        is_past = (last.following - batch.sequence) % _SEQUENCES < _SEQUENCES // 2
        code = Code.DUPLICATE_SEQUENCE_NUMBER if is_past else Code.OUT_OF_ORDER_SEQUENCE_NUMBER
        raise Refused(code, f"sequence {batch.sequence}, expected {last.following}")

    def append(self, batch: Batch, base_offset: int) -> None:
        """Remember a batch that was written."""
        if batch.producer_id >= 0:
            known = self._producers.setdefault(batch.producer_id, deque(maxlen=REMEMBERED))
            known.append(Appended(batch.producer_epoch, batch.sequence, batch.count, base_offset))
            self._producers.move_to_end(batch.producer_id)
            if len(self._producers) > MOST_PRODUCERS:
                self._producers.popitem(last=False)

    def as_json(self) -> dict[str, list[Appended]]:
        return {str(producer): list(known) for producer, known in self._producers.items()}

    @classmethod
    def from_json(cls, found: dict[str, list[list[int]]]) -> "Sequences":
        sequences = cls()
        for producer, known in found.items():
            sequences._producers[int(producer)] = deque((Appended(*one) for one in known), maxlen=REMEMBERED)
        return sequences
