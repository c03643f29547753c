"""How far each file was read, kept in a file: by inode and by how it begins, since names and inodes are used again."""

import os
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

import orjson

#: As much of a file's first line is looked at.
_HEAD_BYTES = 1_024
#: Files that are remembered.
_MOST = 1_000


@dataclass(frozen=True)
class Identity:
    """A file, whatever its name. `head` is a digest of its first line, empty until that is whole."""

    device: int
    inode: int
    head: str


def identity_of(descriptor: int) -> Identity | None:
    """None while its first line is not whole."""
    start = os.pread(descriptor, _HEAD_BYTES, 0)
    end = start.find(b"\n") + 1 or (_HEAD_BYTES if len(start) == _HEAD_BYTES else 0)
    if not end:
        return None
    status = os.fstat(descriptor)
    return Identity(status.st_dev, status.st_ino, blake2b(start[:end], digest_size=8).hexdigest())


class Positions:
    """The positions of one connector; `note` changes them, `save` keeps them."""

    def __init__(self, file: Path) -> None:
        self._file, self._is_changed = file, False
        found = orjson.loads(file.read_bytes()) if file.exists() else []
        self._found = {Identity(**one["file"]): (int(one["offset"]), int(one["origin"])) for one in found}

    def of(self, file: Identity) -> tuple[int, int]:
        """Where to go on, and the inode that its lines are named by: of a copy, those of its original."""
        if file in self._found:
            return self._found[file]
        return max((at for one, at in self._found.items() if one.head == file.head), default=(0, file.inode))

    def has(self, head: str) -> bool:
        """Whether a file that begins so was read."""
        return any(one.head == head for one in self._found)

    def is_known(self, device: int, inode: int) -> bool:
        return any((one.device, one.inode) == (device, inode) for one in self._found)

    def note(self, file: Identity, offset: int, origin: int) -> None:
        self._is_changed = self._is_changed or self._found.get(file) != (offset, origin)
        self._found[file] = offset, origin
        if len(self._found) > _MOST:
            del self._found[next(iter(self._found))]

    def save(self) -> None:
        """On the disk when this returns."""
        if not self._is_changed:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        rows = [
            {"file": asdict(file), "offset": offset, "origin": origin} for file, (offset, origin) in self._found.items()
        ]
        with new.open("wb") as written:
            written.write(orjson.dumps(rows))
            written.flush()
            os.fsync(written.fileno())
        new.replace(self._file)
        self._is_changed = False
