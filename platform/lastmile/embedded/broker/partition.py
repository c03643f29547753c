"""A partition: its segments on disk, and how far consumers may read.

`end` is the offset after the last record written, `high` after the last one that is on disk for certain. Consumers see
what is below `high`: a record that a power cut could still undo would otherwise be read, and its offset given again.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lastmile.embedded.broker.batches import Batch, place, split
from lastmile.embedded.broker.errors import Code, Refused
from lastmile.embedded.broker.segment import Segment
from lastmile.embedded.broker.sequences import Sequences

if TYPE_CHECKING:
    import asyncio

SEGMENT_BYTES = 64 * 2**20
#: The producers known when the newest segment was begun; its batches tell the rest.
_SEQUENCES = "producers.json"


class Partition:
    """Its files are in `folder`; `waiting` are the fetches that want to know of new records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        files = sorted(folder.glob("*.log")) or [_file(folder, 0)]
        self._segments = [Segment(file) for file in files]
        self._sequences = self._known()
        for batch in self._segments[-1].recover():
            self._sequences.append(batch, batch.base_offset)
        for segment, following in zip(self._segments, self._segments[1:], strict=False):
            segment.end_offset = following.base_offset
        self.end = self.high = self._segments[-1].end_offset
        self.waiting: set[asyncio.Event] = set()
        self.is_closed = False

    @property
    def start(self) -> int:
        """The first offset that there still is."""
        return self._segments[0].base_offset

    def append(self, records: memoryview, most: int) -> int:
        """Write the batches of a request; the offset of the first, or the one it has had since an earlier try.

        Raises Refused with nothing written.
        """
        batches = list(split(records))
        if not batches:
            raise Refused(Code.CORRUPT_MESSAGE, "no batch")
        if any(batch.size > most for _, batch in batches):
            raise Refused(Code.MESSAGE_TOO_LARGE, f"a batch of more than {most} bytes (max.message.bytes)")
        offsets = [self._append(body, batch) for body, batch in batches]
        return offsets[0]

    def read(self, offset: int, most: int) -> bytes:
        """Whole batches from `offset` on, the last possibly cut. Raises Refused where there is no such offset."""
        if not self.start <= offset <= self.high:
            raise Refused(Code.OFFSET_OUT_OF_RANGE)
        if offset == self.high:
            return b""
        at = next(segment for segment in reversed(self._segments) if segment.base_offset <= offset)
        return at.read(offset, most, self.high)

    def offset_at(self, timestamp: int) -> tuple[int, int]:
        """Time and offset of the first batch with a record of that time or later; -1 and -1 where there is none."""
        found = (segment.offset_at(timestamp) for segment in self._segments)
        time, offset = next((one for one in found if one), (-1, -1))
        return (time, offset) if offset < self.high else (-1, -1)

    def sync(self) -> int:
        """Have everything on disk; the end of it. Runs in a thread while records are written."""
        end, segment = self.end, self._segments[-1]
        segment.sync()
        return end

    def synced(self, end: int) -> None:
        """Let consumers see what is before `end`."""
        if end > self.high:
            self.high = end
            for event in self.waiting:
                event.set()

    def retain(self, oldest: int, most_bytes: int) -> None:
        """Delete old segments whose records are all from before `oldest`, or while there are more bytes than that."""
        total = sum(segment.size for segment in self._segments)
        while len(self._segments) > 1:
            first = self._segments[0]
            is_old = first.file.stat().st_mtime * 1000 < oldest
            if not (is_old or 0 <= most_bytes < total):
                return
            total -= first.size
            self._segments.pop(0).delete()

    def close(self) -> None:
        self.is_closed = True
        for segment in self._segments:
            segment.close()

    def _append(self, body: memoryview, batch: Batch) -> int:
        earlier = self._sequences.earlier(batch)
        if earlier is not None:
            return earlier
        base = self.end
        place(body, base)
        placed = Batch(
            batch.size,
            base,
            batch.count,
            batch.max_timestamp,
            batch.producer_id,
            batch.producer_epoch,
            batch.sequence,
        )
        try:
            self._newest().append(body, placed)
        except OSError as error:
            raise Refused(Code.KAFKA_STORAGE_ERROR, str(error)) from error
        self._sequences.append(placed, base)
        self.end = placed.end_offset
        return base

    def _newest(self) -> Segment:
        newest = self._segments[-1]
        if newest.size >= SEGMENT_BYTES:
            newest.sync()
            self._remember()
            newest = Segment(_file(self.folder, self.end))
            self._segments.append(newest)
        return newest

    def _remember(self) -> None:
        partial = self.folder / f"{_SEQUENCES}.partial"
        partial.write_text(json.dumps(self._sequences.as_json()))
        partial.replace(self.folder / _SEQUENCES)

    def _known(self) -> Sequences:
        file = self.folder / _SEQUENCES
        return Sequences.from_json(json.loads(file.read_text())) if file.exists() else Sequences()


def _file(folder: Path, base_offset: int) -> Path:
    return folder / f"{base_offset:020}.log"
