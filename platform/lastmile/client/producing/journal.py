"""The journal of a producer: records in files, behind one another, until they are acknowledged.

A place is a count of bytes since the journal began: it names a record for good, and never goes back. Records are in
files of some megabytes, each named by the place of its first; a file goes when all of it is acknowledged. What `append`
returned for survives the death of the process; with `sync`, that of the machine.
"""

import fcntl
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4
from zlib import crc32

#: Length of key and value, their checksum, the kind, length of the key.
_HEAD = struct.Struct("<IIBH")
_NO_KEY = 0xFFFF
LONGEST_KEY = _NO_KEY - 1
_CUT = struct.Struct("<Q")
_ACKNOWLEDGED = struct.Struct("<Qd")
_FILE_BYTES = 16 * 2**20

EVENT, DEAD_LETTER, ENVELOPE = range(3)


class BufferFull(Exception):
    """The journal holds as much as it may, or its disk does: nothing of what was to be sent is kept."""


class Locked(Exception):
    """Another producer has the journal."""


class Record(NamedTuple):
    """What is to be sent. A dead letter's key is the reason, an envelope's how many events it has."""

    kind: int
    key: bytes | None
    value: bytes

    @property
    def events(self) -> int:
        return int(self.key or 1) if self.kind == ENVELOPE else 1


class Placed(NamedTuple):
    place: int
    record: Record


class Journal:
    """The journal in a folder, which is this process's alone. Raises Locked where another has it.

    Threads may append; `read`, `cut` and `acknowledge` are for one of them.
    """

    def __init__(
        self, folder: Path, most_bytes: int = 2**30, sync: bool = False, file_bytes: int = _FILE_BYTES
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._most, self._sync, self._file_bytes = folder, most_bytes, sync, file_bytes
        self._lock_file, self._is_durable = _locked(folder), sync
        self.id = _identity(folder / "id")
        self._lock = threading.Lock()
        self._known_cuts: tuple[int, list[int]] = (-1, [])
        self._places = _files(folder)
        self._note = os.open(folder / "acknowledged", os.O_RDWR | os.O_CREAT, 0o644)
        found = os.pread(self._note, _ACKNOWLEDGED.size, 0)
        #: All before it is acknowledged; and when what stands there was first sent, in seconds since 1970, 0.0 never.
        self.acknowledged, self.sent_at = 0, 0.0
        if len(found) == _ACKNOWLEDGED.size:
            self.acknowledged, self.sent_at = _ACKNOWLEDGED.unpack(found)
        self.end = self._whole_end()
        if not self._places:
            self._places = [self.end]
        self._out = self._opened(self._places[-1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._in: tuple[int, int] | None = None
        self._forget()
        #: How many were appended and not acknowledged when it was opened, or appended since; of the former the events.
        self.records, self.found_events = self._count()

    @property
    def waiting_bytes(self) -> int:
        return self.end - self.acknowledged

    def append(self, records: Sequence[Record]) -> int:
        """Keep the records, all or none; returns the place behind them. Raises BufferFull."""
        written = b"".join(map(_written, records))
        with self._lock:
            if self.waiting_bytes + len(written) > self._most:
                raise BufferFull(f"{self.waiting_bytes:,} bytes wait for the broker already, of {self._most:,} at most")
            if self.end - self._places[-1] >= self._file_bytes:
                self._begin_file()
            self._write(written)
            self.records += len(records)
            self.end += len(written)
            return self.end

    def _count(self) -> tuple[int, int]:
        """How many records are not acknowledged, and their events."""
        found, events, place = 0, 0, self.acknowledged
        while records := self.read(place, 100_000, _FILE_BYTES):
            found, place = found + len(records), self.behind(records[-1])
            events += sum(one.record.events for one in records)
        self.rewind()
        return found, events

    def read(self, place: int, most_records: int, most_bytes: int) -> list[Placed]:
        """The records from a place on; at least one, where there is one. None are of two files, or across a cut."""
        first = self._file_of(place)
        until = min(self.end, self._next_file(first))
        if until <= place:
            return []
        if cut := self._cut_behind(place, first):
            return list(_records(self._bytes(first, place, cut - place), place))
        found: list[Placed] = []
        size = min(until - place, most_bytes + _HEAD.size)
        for one in _records(self._bytes(first, place, size), place):
            if len(found) >= most_records:
                break
            found.append(one)
        return found or [next(_records(self._bytes(first, place, self._length(first, place)), place))]

    def cut(self, place: int, behind: int) -> None:
        """Note, before they are sent, that the records between two places are one message: now and after a death."""
        if self._cut_behind(place, self._file_of(place)) != behind:
            with self._cuts(self._file_of(place)).open("ab") as file:
                file.write(_CUT.pack(behind))

    def acknowledge(self, place: int, sent_at: float) -> None:
        """All before the place is the broker's; what is there was first sent then."""
        self.acknowledged, self.sent_at = place, sent_at
        os.pwrite(self._note, _ACKNOWLEDGED.pack(place, sent_at), 0)
        if len(self._places) > 1 and self._next_file(self._places[0]) <= place:
            self._forget()

    def discard(self) -> None:
        """Forget what waits."""
        self.acknowledge(self.end, 0.0)
        self.records = self.found_events = 0

    def rewind(self) -> None:
        """From now on it is read from what is not acknowledged, in the messages that it was sent in."""
        self._known_cuts = -1, []

    def keep_refused(self, value: bytes) -> Path:
        """A file with what the broker does not accept, for who looks into it."""
        folder = self._folder / "refused"
        folder.mkdir(exist_ok=True)
        file = folder / f"{self.acknowledged}-{len(list(folder.iterdir()))}"
        file.write_bytes(value)
        return file

    def make_durable(self) -> None:
        """All that was appended since it was first called is on the disk when this returns."""
        self._is_durable = True
        with self._lock:
            out = os.dup(self._out)
        try:
            os.fdatasync(out)
        finally:
            os.close(out)

    def behind(self, one: Placed) -> int:
        """The place behind a record."""
        return one.place + _HEAD.size + len(one.record.key or b"") + len(one.record.value)

    def close(self) -> None:
        for descriptor in (self._out, self._note, *([self._in[1]] if self._in else ()), self._lock_file):
            os.close(descriptor)

    def _write(self, written: bytes) -> None:
        try:
            done = os.write(self._out, written)
        except OSError as error:
            done, why = 0, str(error)
        else:
            why = "the disk is full"
        if done != len(written):
            os.ftruncate(self._out, self.end - self._places[-1])
            raise BufferFull(f"the journal {self._folder} cannot be written to: {why}")
        if self._sync:
            os.fdatasync(self._out)

    def _begin_file(self) -> None:
        if self._is_durable:
            os.fdatasync(self._out)
        os.close(self._out)
        self._out = self._opened(self.end, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._places.append(self.end)
        if self._is_durable:
            _sync_folder(self._folder)

    def _whole_end(self) -> int:
        """Behind the last whole record; what a death cut short is removed."""
        if not self._places:
            return self.acknowledged
        first = self._places[-1]
        content = self._path(first).read_bytes()
        end = 0
        for one in _records(content, 0, check=True):
            end = self.behind(one)
        os.truncate(self._path(first), end)
        self.acknowledged = min(self.acknowledged, first + end)
        return first + end

    def _forget(self) -> None:
        """Remove the files of which all is acknowledged, but the last."""
        with self._lock:
            gone = [one for one in self._places[:-1] if self._next_file(one) <= self.acknowledged]
            self._places = self._places[len(gone) :]
        for one in gone:
            self._path(one).unlink(missing_ok=True)
            self._cuts(one).unlink(missing_ok=True)

    def _bytes(self, first: int, place: int, size: int) -> bytes:
        if self._in is None or self._in[0] != first:
            if self._in:
                os.close(self._in[1])
            self._in = (first, self._opened(first, os.O_RDONLY))
        return os.pread(self._in[1], size, place - first)

    def _length(self, first: int, place: int) -> int:
        return _HEAD.size + int(_HEAD.unpack(self._bytes(first, place, _HEAD.size))[0])

    def _cut_behind(self, place: int, first: int) -> int | None:
        if self._known_cuts[0] != first:
            self._known_cuts = first, _cuts_in(self._cuts(first))
        cuts = self._known_cuts[1]
        while cuts and cuts[0] <= place:
            cuts.pop(0)
        return cuts[0] if cuts else None

    def _file_of(self, place: int) -> int:
        return max((one for one in self._places if one <= place), default=self._places[0])

    def _next_file(self, first: int) -> int:
        return min((one for one in self._places if one > first), default=self.end)

    def _opened(self, first: int, flags: int) -> int:
        return os.open(self._path(first), flags, 0o644)

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:020}.log"

    def _cuts(self, first: int) -> Path:
        return self._folder / f"{first:020}.cuts"


def _written(record: Record) -> bytes:
    key = record.key or b""
    body = key + record.value
    return _HEAD.pack(len(body), crc32(body), record.kind, _NO_KEY if record.key is None else len(key)) + body


def _records(content: bytes, place: int, check: bool = False) -> Iterator[Placed]:
    """The whole records of what begins at a place."""
    at, unpack = 0, _HEAD.unpack_from
    while at + _HEAD.size <= len(content):
        length, checksum, kind, key_length = unpack(content, at)
        start = at + _HEAD.size
        end = start + length
        if end > len(content) or (check and crc32(content[start:end]) != checksum):
            return
        if key_length == _NO_KEY:
            yield Placed(place + at, Record(kind, None, content[start:end]))
        else:
            yield Placed(
                place + at, Record(kind, content[start : start + key_length], content[start + key_length : end])
            )
        at = end


def _cuts_in(file: Path) -> list[int]:
    """Without one that a death cut short."""
    if not file.exists():
        return []
    found = file.read_bytes()
    if left := len(found) % _CUT.size:
        os.truncate(file, len(found) - left)
    return [cut for (cut,) in _CUT.iter_unpack(found[: len(found) - left])]


def _files(folder: Path) -> list[int]:
    return sorted(int(one.stem) for one in folder.glob("*.log"))


def _identity(file: Path) -> str:
    """Different for every journal there is."""
    if not file.exists():
        new = file.with_suffix(".new")
        new.write_text(uuid4().hex)
        new.rename(file)
    return file.read_text()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _locked(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Locked(f"another producer has the journal {folder}; give each one a folder of its own") from None
    return descriptor
