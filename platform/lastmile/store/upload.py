"""An object that is uploaded while the local file with its content is still being written.

It appears as a whole once it is published, under a name that nothing else has: one that is not, because what was being
written turned out to be wrong, is removed again. Killed in between, a bucket may keep the parts of it, in no listing;
buckets are set to remove such parts after some days (in S3 by AbortIncompleteMultipartUpload).
"""

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import obstore
from obstore.store import LocalStore

from lastmile.store.objects import Store
from lastmile.store.stored_object import translated_errors

#: S3 accepts no smaller parts. Larger ones are held in memory as well, and gain nothing.
PART_BYTES = 5 * 2**20
PARALLEL_PARTS = 4


class Upload:
    """Uploads what is appended to `file`; `publish` must be called before the context is left, or nothing remains.

    A file in a folder, or one of less than a part, is only published. Both methods raise UserError where the store
    fails.
    """

    def __init__(self, store: Store, key: str, file: Path) -> None:
        self._store, self._key, self._path = store, key, file
        self._file: IO[bytes] | None = None
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def follow(self) -> None:
        """Upload what the file has by now; waits where the store is slower than whatever writes the file."""
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
