"""Record batches: their headers. What is in them stays as the producer wrote it, compressed or not."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lastmile.embedded.broker.errors import Code, Refused

#: Base offset, length, leader epoch, magic, checksum, attributes, last offset delta, first and last time, producer's
#: id, epoch and sequence, number of records. The checksum covers what follows it: offset and epoch are the broker's.
_HEADER = struct.Struct(">qiibIhiqqqhii")
_OFFSET, _EPOCH = struct.Struct(">q"), struct.Struct(">i")
HEADER_BYTES = _HEADER.size
#: Base offset and length, which the length does not count.
_PREFIX = 12
MAGIC = 2
_TRANSACTIONAL_OR_CONTROL = 0x30


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of `size` bytes: the offset of its first record, how many offsets it spans, the time of its newest."""

    size: int
    base_offset: int
    count: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    sequence: int

    @property
    def end_offset(self) -> int:
        return self.base_offset + self.count


def header(body: memoryview | bytes) -> Batch | None:
    """The batch whose header this is; None where it is none."""
    if len(body) < HEADER_BYTES:
        return None
    base, length, _, magic, _, _, delta, _, newest, producer, epoch, sequence, _ = _HEADER.unpack_from(body)
    if magic != MAGIC or length < HEADER_BYTES - _PREFIX or base < 0 or delta < 0:
        return None
    return Batch(length + _PREFIX, base, delta + 1, newest, producer, epoch, sequence)


def split(records: memoryview) -> Iterator[tuple[memoryview, Batch]]:
    """The batches of a produce request. Raises Refused where they are none, or belong to a transaction."""
    while records:
        batch = header(records)
        if batch is None:
            is_old = len(records) > 16 and records[16] != MAGIC
            raise Refused(Code.UNSUPPORTED_FOR_MESSAGE_FORMAT if is_old else Code.CORRUPT_MESSAGE)
        if batch.size > len(records):
            raise Refused(Code.CORRUPT_MESSAGE, f"a batch of {batch.size} bytes in {len(records)}")
        if records[22] & _TRANSACTIONAL_OR_CONTROL:
            raise Refused(Code.INVALID_REQUEST, "this broker has no transactions")
        yield records[: batch.size], batch
        records = records[batch.size :]


def place(body: memoryview, base_offset: int) -> None:
    """Write the offset that the broker gives to the batch into it."""
    _OFFSET.pack_into(body, 0, base_offset)
    _EPOCH.pack_into(body, _PREFIX, 0)
