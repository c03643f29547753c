"""An object's bytes for reading only. A file in a folder need not be copied for that: it gets a second name.

The second name keeps the bytes, whatever becomes of the first; that nobody wrote into them meanwhile is looked at in
the end. To write a large drop once more costs as much as to parse it.
"""

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from lastmile.store.errors import Changed

#: Seconds a file must have been left alone to be pinned: the clocks of file systems tick in up to two.
LEFT_ALONE = 3

#: Size, and times of the last change in bytes and in anything.
State = tuple[int, int, int]


@dataclass(frozen=True)
class PinnedFile:
    """The bytes of an object in a local file, to be read and left as they are; `state` is None for a copy of them."""

    path: Path
    sha256: str
    state: State | None = None

    def expect_unchanged(self) -> None:
        """Raises Changed where what was read since then may not be what was pinned."""
        if self.state is None or _state(self.path) == self.state:
            return
        if hash_of(self.path) != self.sha256:  # else its names or rights changed, and no byte
            raise Changed(f"{self.path.name}: somebody wrote into it while it was read")


def link(source: Path, to: Path) -> State | None:
    """Make `to` a second name of a file that was left alone for a while; None where that cannot be."""
    try:
        found = source.lstat()
        if not stat.S_ISREG(found.st_mode) or not 0 < found.st_mtime < time.time() - LEFT_ALONE:
            return None
        os.link(source, to)
    except OSError:  # another file system, or one without links, or not ours: it is copied, and says so if that fails
        return None
    return _state(to)


def hash_of(file: Path) -> str:
    """SHA-256 in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _state(file: Path) -> State:
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
