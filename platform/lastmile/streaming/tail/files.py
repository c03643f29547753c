"""Log files as they are found, and the lines that were added to them."""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from glob import glob, has_magic
from pathlib import Path
from typing import NamedTuple

from lastmile.streaming.tail.positions import Identity, Positions, identity_of

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".zip", ".Z")
_MOST_BYTES = 256 * 1024
#: A longer line is several: nothing ends a line that a program never ends.
_LONGEST_LINE = 1024 * 1024


#: Device and inode.
Key = tuple[int, int]


class Line(NamedTuple):
    offset: int
    text: bytes


class Followed:
    """A file that is open, wherever it is moved. `read_to` is behind the last line that was read; `origin` is the inode
    that its lines are named by, which is that of another one for a copy."""

    def __init__(self, descriptor: int, identity: Identity, offset: int, origin: int) -> None:
        self.descriptor, self.identity, self.read_to, self.origin = descriptor, identity, offset, origin

    def line_id(self, line: Line) -> str:
        """The same whenever the line is read."""
        return f"{self.identity.head}-{self.origin:x}-{line.offset:x}"

    def lines(self, is_over: bool) -> list[Line]:
        """The whole lines behind the last one; where nothing follows, the last is whole without its end."""
        content = os.pread(self.descriptor, _MOST_BYTES, self.read_to)
        if not (end := content.rfind(b"\n") + 1):
            content = os.pread(self.descriptor, _LONGEST_LINE, self.read_to)
            end = content.rfind(b"\n") + 1 or (len(content) if is_over or len(content) == _LONGEST_LINE else 0)
        found = list(_lines(content[:end], self.read_to))
        self.read_to += end
        return found

    def was_cut(self) -> bool:
        """Emptied in place, and perhaps written to again."""
        return os.fstat(self.descriptor).st_size < self.read_to or identity_of(self.descriptor) != self.identity

    def close(self) -> None:
        os.close(self.descriptor)


class Folder:
    """What there is of the files that the patterns name, under these names or others."""

    def __init__(self, patterns: Sequence[str], positions: Positions) -> None:
        self._patterns, self._positions = patterns, positions
        self._heads: dict[Key, Identity | None] = {}

    def look(self, heads: Collection[str]) -> dict[Key, Path]:
        """The files to be read, the oldest first: those that are named, and those that were begun under a name that is
        another's now, or are a copy of one that was. A copy of one that is being read, which has one of these `heads`,
        is not, until that is emptied."""
        named = self.names()
        found = []
        for path in (*named, *self._others(named)):
            with suppress(OSError):
                status = path.stat()
                key = status.st_dev, status.st_ino
                if path.suffix in _COMPRESSED or not path.is_file():
                    continue
                if self._is_wanted(key, path, path in named, heads):
                    found.append((status.st_mtime_ns, key, path))
        return {key: path for _, key, path in sorted(found)}

    def names(self) -> set[Path]:
        """The names that fit the patterns now."""
        found = (glob(one) if has_magic(one) else [one] for one in self._patterns)  # noqa: PTH207  # may be absolute
        return {Path(name) for names in found for name in names}

    def open(self, path: Path) -> Followed | None:
        """From where it was read to; None where it is not there, or has no whole line."""
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            return None
        found = identity_of(descriptor)
        if found is None:
            os.close(descriptor)
            return None
        offset, origin = self._positions.of(found)
        return Followed(descriptor, found, offset if offset <= os.fstat(descriptor).st_size else 0, origin)

    def _others(self, named: set[Path]) -> Iterator[Path]:
        """Next to those that are named."""
        for folder in {Path(one).parent for one in self._patterns if not has_magic(str(Path(one).parent))}:
            with suppress(OSError):
                yield from (one for one in folder.iterdir() if one not in named)

    def _is_wanted(self, key: Key, path: Path, is_named: bool, heads: Collection[str]) -> bool:
        if self._positions.is_known(*key):
            return True
        if self._heads.get(key) is None:
            descriptor = os.open(path, os.O_RDONLY)
            self._heads[key] = identity_of(descriptor)
            os.close(descriptor)
        found = self._heads[key]
        return found is not None and found.head not in heads and (is_named or self._positions.has(found.head))


def _lines(content: bytes, offset: int) -> Iterator[Line]:
    for line in content.splitlines(keepends=True) if b"\r" not in content else _kept(content):
        if text := line.rstrip(b"\r\n"):
            yield Line(offset, text)
        offset += len(line)


def _kept(content: bytes) -> list[bytes]:
    """Lines end with a line feed only."""
    parts = content.split(b"\n")
    return [one + b"\n" for one in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
