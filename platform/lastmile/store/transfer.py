"""Objects and local files: what is downloaded or linked to be read, and what is uploaded while it is written.

A large object of a bucket is requested in ranges, several in parallel, since one connection seldom fills a line. A file
in a folder is linked rather than copied, since writing a large drop once more costs as much as parsing it: the link
keeps the bytes whatever happens to the original name, and `expect_unchanged` verifies that they were not written to.

What is uploaded appears as a whole once it is published, under a name that nothing else has: one that is not, because
what was being written turned out to be wrong, is removed again. Killed in between, a bucket may keep the parts of it,
in no listing; buckets are set to remove such parts after some days (in S3 by AbortIncompleteMultipartUpload).
"""

import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, ClassVar, Self

import obstore
from obstore.store import LocalStore, ObjectStore

from lastmile.store.stored_object import Changed, translated_errors

if TYPE_CHECKING:
    from lastmile.store.objects import Store

#: Ranges are held in memory: 32 MiB at most.
RANGE_BYTES = 4 * 2**20
PARALLEL_RANGES = 8
#: S3 accepts no smaller parts. Larger ones are held in memory as well, and gain nothing.
PART_BYTES = 5 * 2**20
PARALLEL_PARTS = 4
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


class Upload:
    """Uploads what is appended to `file`; `publish` must be called before the context is left, or nothing remains.

    A file in a folder, or one of less than a part, is only published. Both methods raise UserError where the store
    fails.
    """

    def __init__(self, store: "Store", key: str, file: Path) -> None:
        self._store, self._key, self._path = store, key, file
        self._file: IO[bytes] | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def follow(self) -> None:
        """Upload what the file has by now; waits where the store is slower than what writes the file."""
        if self._file is None:
            if isinstance(self._store.backend, LocalStore) or self._path.stat().st_size < PART_BYTES:
                return
            self._file = self._path.open("rb")
        with translated_errors(self._store.url, f"write {self._key}"):
            self._send(self._file)

    def publish(self) -> None:
        """Complete the object. If another file came in the place of the one followed, the object has its content."""
        if self._file is None or not self._is_at_its_path(self._file):
            self._withdraw()
            self._store.publish(self._key, self._path)
            return
        with translated_errors(self._store.url, f"write {self._key}"):
            self._send(self._file)
            writer, self._writer = self._writer, None
            writer.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._withdraw()

    def _send(self, file: IO[bytes]) -> None:
        if self._writer is None:
            self._writer = obstore.open_writer(
                self._store.backend, self._key, buffer_size=PART_BYTES, max_concurrency=PARALLEL_PARTS
            )
        while block := file.read(PART_BYTES):
            self._writer.write(block)

    def _is_at_its_path(self, file: IO[bytes]) -> bool:
        return os.path.samestat(os.fstat(file.fileno()), self._path.stat())

    def _withdraw(self) -> None:
        """Complete the object and delete it, since the client cannot abort what it has begun."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(Exception):  # a failed store raises its error where it is next needed
                writer.close()
                obstore.delete(self._store.backend, self._key)
