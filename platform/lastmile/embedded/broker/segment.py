"""A file of consecutive record batches, named by the offset of its first record, and an index of it in memory."""

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path

from lastmile.embedded.broker.batches import HEADER_BYTES, Batch, header

#: One entry of the index for at least so many bytes of records.
_INDEX_BYTES = 4096
_PIECE_BYTES = 256 * 1024


class Segment:
    """`end_offset` and `size` are those of what is whole in it. The index of an old file is made when it is needed."""

    def __init__(self, file: Path) -> None:
        self.file, self.base_offset = file, int(file.stem)
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self.size = os.fstat(self._descriptor).st_size
        self.end_offset, self.max_timestamp = self.base_offset, -1
        self._offsets: list[int] = []
        self._positions: list[int] = []
        self._newest: list[int] = []
        self._indexed = self.size == 0

    def recover(self) -> Iterator[Batch]:
        """The batches of the file; what follows the last whole one, written as the process was killed, is cut off."""
        whole = 0
        for position, batch in self._batches():
            self._note(batch, position)
            whole = position + batch.size
            yield batch
        if whole < self.size:
            os.ftruncate(self._descriptor, whole)
            self.size = whole
        self._indexed = True

    def append(self, body: memoryview, batch: Batch) -> None:
        """Write a batch that has its offset. Raises OSError, the file unchanged, where the disk does not take it."""
        written = 0
        try:
            while written < len(body):
                written += os.write(self._descriptor, body[written:])
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self._note(batch, self.size)
        self.size += batch.size

    def read(self, offset: int, most: int, end: int) -> bytes:
        """Batches from the one that has `offset`, `most` bytes but at least one batch, none beyond the offset `end`."""
        position = self._position(offset)
        while batch := self._header(position):
            if batch.end_offset > offset:
                break
            position += batch.size
        if batch is None or batch.base_offset >= end:
            return b""
        size = max(most, batch.size)
        body = os.pread(self._descriptor, size, position)
        return body if self.end_offset <= end else _until(body, end)

    def offset_at(self, timestamp: int) -> tuple[int, int] | None:
        """Time and offset of the first batch with a record of that time or later; None where there is none."""
        self._make_index()
        entry = max(bisect_left(self._newest, timestamp) - 1, 0)
        for _, batch in self._batches(self._positions[entry] if self._positions else 0):
            if batch.max_timestamp >= timestamp:
                return batch.max_timestamp, batch.base_offset
        return None

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)

    def delete(self) -> None:
        self.close()
        self.file.unlink(missing_ok=True)

    def _position(self, offset: int) -> int:
        self._make_index()
        entry = bisect_right(self._offsets, offset) - 1
        return self._positions[entry] if entry >= 0 else 0

    def _make_index(self) -> None:
        if not self._indexed:
            for position, batch in self._batches():
                self._note(batch, position)
            self._indexed = True

    def _note(self, batch: Batch, position: int) -> None:
        self.end_offset = batch.end_offset
        self.max_timestamp = max(self.max_timestamp, batch.max_timestamp)
        if not self._positions or position - self._positions[-1] >= _INDEX_BYTES:
            self._offsets.append(batch.base_offset)
            self._positions.append(position)
            self._newest.append(self.max_timestamp)
        else:
            self._newest[-1] = self.max_timestamp

    def _batches(self, position: int = 0) -> Iterator[tuple[int, Batch]]:
        """Read in large pieces: batches may be of a hundred bytes, or of a megabyte, which are passed over."""
        piece, start = memoryview(b""), position
        while position < self.size:
            if position + HEADER_BYTES > start + len(piece):
                piece, start = memoryview(os.pread(self._descriptor, _PIECE_BYTES, position)), position
            batch = header(piece[position - start :])
            if batch is None or position + batch.size > self.size:
                return
            yield position, batch
            position += batch.size

    def _header(self, position: int) -> Batch | None:
        return header(os.pread(self._descriptor, HEADER_BYTES, position)) if position < self.size else None


def _until(body: bytes, end: int) -> bytes:
    """The batches before the offset `end`."""
    position = 0
    while (batch := header(memoryview(body)[position:])) and batch.base_offset < end:
        position += batch.size
    return body[:position]
