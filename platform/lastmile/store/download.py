"""An object's bytes in a local file: downloaded, or hard-linked where the store is a folder.

A large object of a bucket is requested in ranges, several in parallel, since one connection seldom fills a line. A file
in a folder is linked rather than copied, since writing a large drop once more costs as much as parsing it: the link
keeps the bytes whatever happens to the original name, and `expect_unchanged` verifies that they were not written to.
"""

import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any, ClassVar

import obstore
from obstore.store import ObjectStore

from lastmile.store.stored_object import Changed

#: Ranges are held in memory: 32 MiB at most.
RANGE_BYTES = 4 * 2**20
PARALLEL_RANGES = 8
#: A file modified more recently is copied, not linked: file system clocks tick in steps of up to two seconds.
MIN_LINK_AGE_SECONDS = 3

#: Bytes that are hashed sooner than a thread starts.
WITHOUT_THREAD = 2**18

#: Size in bytes, then times in ns of the last change of the bytes and of anything.
FileState = tuple[int, int, int]


@dataclass(frozen=True)
class PinnedFile:
    """The bytes of one version of an object, read-only, with their SHA-256 in hex; `state` is None for a copy."""

    path: Path
    sha256: str
    state: FileState | None = None
    is_whole: ClassVar = True

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.path.parent

    @property
    def source(self) -> Path:
        """Where a reader reads it from."""
        return self.path

    def expect_unchanged(self) -> None:
        """Raises Changed where what was read so far may not be what was pinned."""
        if self.state is None or _state(self.path) == self.state:
            return
        if hash_of(self.path) != self.sha256:  # else only its names or permissions changed
            raise Changed(f"{self.path.name}: it was written to while being read")


def link(source: Path, to: Path) -> FileState | None:
    """Hard-link `to` to a file that has been idle for a while; None where that is impossible."""
    try:
        found = source.lstat()
        if not stat.S_ISREG(found.st_mode) or not 0 < found.st_mtime < time.time() - MIN_LINK_AGE_SECONDS:
            return None
        os.link(source, to)
    except OSError:  # another file system, one without links, or not ours: the copy that follows reports what is wrong
        return None
    return _state(to)


def is_inside(root: Path, file: Path) -> bool:
    """Whether a file is in the folder, wherever links lead. Raises OSError where they lead nowhere."""
    return file.resolve(strict=True).is_relative_to(root.resolve())


def hash_of(file: Path) -> str:
    """SHA-256 in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def ranges(backend: ObjectStore, key: str, size: int, e_tag: str | None) -> Iterator[Any]:
    """The object's bytes in order, range by range, as long as it keeps its `e_tag`."""

    def get(start: int) -> Any:
        span = (start, min(start + RANGE_BYTES, size))
        return obstore.get(backend, key, options={"range": span, "if_match": e_tag}).bytes()

    in_flight: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(PARALLEL_RANGES, thread_name_prefix="range") as requests:
        try:
            for start in range(0, size, RANGE_BYTES):
                if len(in_flight) == PARALLEL_RANGES:
                    yield in_flight.popleft().result()
                in_flight.append(requests.submit(get, start))
            while in_flight:
                yield in_flight.popleft().result()
        finally:
            for pending in in_flight:
                pending.cancel()


def write(chunks: Iterable[Any], file: IO[bytes]) -> tuple[str, int]:
    """Write the chunks; returns their SHA-256 in hex and their size. Hashing is as slow as writing, so they overlap,
    but for a first chunk that is small, as of small objects, of which there may be many."""
    chunks, digest, size = iter(chunks), hashlib.sha256(), 0
    first = next(chunks, b"")
    if len(first) < WITHOUT_THREAD:
        digest.update(first)
        size, first = file.write(first), b""
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as hashing:
        for chunk in chain([first] if first else [], chunks):
            hashed = hashing.submit(digest.update, chunk)
            size += file.write(chunk)
            hashed.result()
    return digest.hexdigest(), size


def _state(file: Path) -> FileState:
    found = file.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns
