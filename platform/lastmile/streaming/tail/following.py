"""Follows log files: what is added to them is sent, and how far they were read is kept once Kafka has acknowledged it.

A file that is moved or deleted is read to its end, and some time longer, since who writes to it may not have noticed.
One that is emptied in place begins again, and the copy that was made of it before is read to its end. After a death
lines are read again from what is kept; each has an id by its place in its file, so that a contract with that as its key
counts it once.
"""

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import orjson

from lastmile.client import BufferFull, Producer
from lastmile.streaming.declarations.connectors import LogFiles
from lastmile.streaming.tail.combined import parsed
from lastmile.streaming.tail.files import Folder, Followed, Key, Line
from lastmile.streaming.tail.positions import Positions

log = logging.getLogger(__name__)

LINE_ID = "line_id"
_LOOKED_SECONDS, _SAVED_SECONDS, _LAST_SECONDS = 0.2, 0.5, 10.0
#: A file that is moved is read for so long after its last line.
LINGER_SECONDS = 5.0


@dataclass
class _Open:
    file: Followed
    path: Path
    last_at: float


class Following:
    """One connector at work; `stop` may be called by a signal."""

    def __init__(
        self,
        connector: LogFiles,
        files: Sequence[str],
        positions: Positions,
        producer: Producer,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._format, self._positions, self._producer = connector.format, positions, producer
        self._folder, self._linger = Folder(files, positions), linger_seconds
        self._open: dict[Key, _Open] = {}
        self._done: set[Key] = set()
        self._sent: deque[tuple[int, Followed, int]] = deque()
        self._stopping, self._saved_at = Event(), 0.0

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        """Until it is stopped; then what is on its way is waited for."""
        while not self._stopping.is_set():
            if not self.step():
                self._stopping.wait(_LOOKED_SECONDS)
        self._producer.wait(seconds=_LAST_SECONDS)
        self._settle(at_once=True)
        for one in self._open.values():
            one.file.close()

    def step(self) -> bool:
        """Read a part of each file; returns whether there was any."""
        there = self._folder.look({one.file.identity.head for one in self._open.values()})
        names = self._folder.names()
        self._done &= there.keys()
        for key, path in there.items():
            if key not in self._open and not (key in self._done and path not in names):
                self._begin(key, path)
        found = [self._read(key, there.get(key), names) for key in list(self._open)]
        self._settle(at_once=False)
        return any(found)

    def _begin(self, key: Key, path: Path) -> None:
        if found := self._folder.open(path):
            self._open[key] = _Open(found, path, time.monotonic())
            self._positions.note(found.identity, found.read_to, found.origin)  # a copy's lines are named by it, too
            self._positions.save()
            log.info("reading %s from %s", path, f"{found.read_to:,}")

    def _read(self, key: Key, path: Path | None, names: set[Path]) -> bool:
        one = self._open[key]
        is_moved = path is None or path not in names or path != one.path
        is_over = is_moved and time.monotonic() - one.last_at > self._linger
        read_before = one.file.read_to
        lines = one.file.lines(is_over)
        if one.file.was_cut():
            self._note(one.file, read_before)  # a copy goes on from there
            self._open.pop(key).file.close()
            return True
        if lines:
            one.last_at = time.monotonic()
            self._send(one.file, lines)
        elif is_over:
            self._open.pop(key).file.close()
            self._done.add(key)
        return bool(lines)

    def _send(self, file: Followed, lines: Sequence[Line]) -> None:
        values = [value_of(line.text, file.line_id(line), self._format) for line in lines]
        while not self._stopping.is_set():
            try:
                place = self._producer.send_many_bytes(values)
            except BufferFull:
                self._settle(at_once=False)
                self._stopping.wait(_LOOKED_SECONDS)
            else:
                self._sent.append((place, file, file.read_to))
                return

    def _note(self, file: Followed, offset: int) -> None:
        """Once all that was read of it is acknowledged."""
        while self._sent and not self._stopping.is_set():
            self._producer.wait(self._sent[-1][0], _LOOKED_SECONDS)
            self._settle(at_once=False)
        if not self._sent:
            self._positions.note(file.identity, offset, file.origin)

    def _settle(self, at_once: bool) -> None:
        while self._sent and self._sent[0][0] <= self._producer.acknowledged:
            _, file, offset = self._sent.popleft()
            self._positions.note(file.identity, offset, file.origin)
        if at_once or time.monotonic() - self._saved_at > _SAVED_SECONDS:
            self._positions.save()
            self._saved_at = time.monotonic()


def value_of(line: bytes, line_id: str, format_: str) -> bytes:
    """The line as an event. One that is none has its text, and what is wrong with it, for the quarantine to show."""
    text = line.replace(b"\0", b"\\0").decode("utf-8", "backslashreplace")
    try:
        event = parsed(text) if format_ == "combined" else _object(text)
    except ValueError as error:
        event = {"line": text, "fault": str(error)}
    return orjson.dumps({**event, LINE_ID: line_id})


def _object(text: str) -> dict[str, Any]:
    found = orjson.loads(text)
    if isinstance(found, dict):
        return found
    raise ValueError("expected an object")
