"""A body as it arrives, in a file: its memory is a block, its size is bounded, its hash is known at the end."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from anyio.to_thread import run_sync
from fastapi import HTTPException

#: Written at once, in a thread, so that a slow disk does not hold up other requests.
BLOCK_BYTES = 2**20


class Spool:
    """`path` has the body once `close` was called; it is removed when the context is left, unless it was moved."""

    def __init__(self, most: int) -> None:
        self._most, self.size, self._sha256 = most, 0, hashlib.sha256()
        self._blocks: list[bytes] = []
        self._buffered = 0
        self._folder = TemporaryDirectory(prefix="lastmile-")
        self.path = Path(self._folder.name) / "body"
        self._file = self.path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._folder.cleanup()

    async def add(self, chunk: bytes) -> None:
        """Raises HTTPException (413) where it grows over its limit."""
        self.size += len(chunk)
        if self.size > self._most:
            raise too_large(self._most)
        self._blocks.append(chunk)
        self._buffered += len(chunk)
        if self._buffered >= BLOCK_BYTES:
            await run_sync(self._write)

    async def close(self) -> None:
        """All of it is on the disk."""
        await run_sync(self._end)

    @property
    def sha256(self) -> bytes:
        return self._sha256.digest()

    def _write(self) -> None:
        block = b"".join(self._blocks)
        self._blocks, self._buffered = [], 0
        self._sha256.update(block)
        self._file.write(block)

    def _end(self) -> None:
        self._write()
        self._file.flush()
        os.fsync(self._file.fileno())


def too_large(most: int) -> HTTPException:
    return HTTPException(
        413, f"expected a file of at most {most:,} bytes; send smaller ones, or raise the contract's limits.bytes"
    )
