"""A large object that is read while it is still being downloaded: a read waits for the bytes that it needs.

What is read is always of the requested version, since every range is requested of that version only. Whether the whole
object is, and its hash, is known once all of it has arrived: what was read is kept only after that.
"""

import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Condition
from types import TracebackType
from typing import IO, Any, Self

from lastmile.store import transfer
from lastmile.store.held import HeldFile
from lastmile.store.stored_object import Changed, StoredObject


class ArrivingFile:
    """The object's bytes in a local file that has its full size from the start; the context ends the transfer.

    Like `PinnedFile`; whatever needs all bytes waits for them, and raises what stopped the download, or Changed.
    """

    def __init__(self, wanted: StoredObject, to: Path, chunks: Iterable[Any]) -> None:
        self._wanted, self._file, self._arrived, self._is_left = wanted, to, 0, False
        to.touch()
        os.truncate(to, wanted.size)
        self._progress = Condition()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fetch")
        self._hash: Future[str] = self._pool.submit(self._fetch, chunks)
        self._hash.add_done_callback(lambda _: self._note(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_left = True
        self._pool.shutdown()

    @property
    def is_whole(self) -> bool:
        """Whether all of it has arrived, or never will."""
        return self._hash.done()

    @property
    def sha256(self) -> str:
        return self._hash.result()

    @property
    def path(self) -> Path:
        self._hash.result()
        return self._file

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._file.parent

    @property
    def source(self) -> "ArrivingFile":
        return self

    def expect_unchanged(self) -> None:
        self._hash.result()

    def open(self, _mode: str = "rb") -> io.BufferedReader:
        """The file, read-only, from its beginning."""
        return io.BufferedReader(_Reading(self, self._file))

    def arrived(self, beyond: int) -> int:
        """How many bytes have arrived, once there are more than `beyond`, or no more come."""
        with self._progress:
            self._progress.wait_for(lambda: self._arrived > beyond or self.is_whole)
        if self._arrived <= beyond:
            self._hash.result()
        return self._arrived

    def _fetch(self, chunks: Iterable[Any]) -> str:
        with self._file.open("r+b") as file:
            sha256, size = transfer.write(self._noted(chunks, file), file)
        if size != self._wanted.size:
            raise Changed(f"{self._wanted.key}: expected {self._wanted.size} bytes, found {size}")
        return sha256

    def _noted(self, chunks: Iterable[Any], file: IO[bytes]) -> Iterator[Any]:
        """The chunks; the next one is requested once the previous one is written."""
        for chunk in chunks:
            yield chunk
            file.flush()
            self._note(len(chunk))
            if self._is_left:
                return

    def _note(self, arrived: int) -> None:
        with self._progress:
            self._arrived += arrived
            self._progress.notify_all()


class _Reading(io.RawIOBase):
    def __init__(self, arriving: ArrivingFile, path: Path) -> None:
        self._arriving, self._raw = arriving, io.FileIO(path)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def readinto(self, buffer: Any) -> int:
        start = self._raw.tell()
        return self._raw.readinto(memoryview(buffer)[: max(0, self._arriving.arrived(start) - start)]) or 0

    def close(self) -> None:
        self._raw.close()
        super().close()


#: The bytes of one version of an object, whole or arriving.
Pinned = transfer.PinnedFile | ArrivingFile
#: A file, one that is still being downloaded, or one in memory.
Source = Path | ArrivingFile | HeldFile
