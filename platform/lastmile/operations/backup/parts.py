"""A stream of bytes as parts of a backup, and back: a few parts at a time are compressed and uploaded in parallel."""

import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, TypeVar

from lastmile.operations.backup.repository import PART_BYTES, Repository

_PARALLEL = 3

T = TypeVar("T")


def write(repository: Repository, name: str, blocks: Iterable[bytes]) -> list[str]:
    """Keep the stream as `<name>-00001` and so on; the keys in order."""
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="part") as pool:
        pending: deque[Future[str]] = deque()
        keys = []
        for number, part in enumerate(_parts(blocks), 1):
            if len(pending) == _PARALLEL:
                keys.append(pending.popleft().result())
            pending.append(pool.submit(repository.put, f"{name}-{number:05}", part))
        return [*keys, *(one.result() for one in pending)]


def read(repository: Repository, keys: Sequence[str]) -> Iterator[bytes]:
    """The parts in order, the next ones read ahead. Raises UserError for one that is damaged or lost."""
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="part") as pool:
        waiting, pending = iter(keys), deque[Future[bytes]]()
        try:
            while True:
                while len(pending) < _PARALLEL and (key := next(waiting, None)):
                    pending.append(pool.submit(repository.read, key))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for one in pending:
                one.cancel()


def as_file(blocks: Iterator[bytes]) -> IO[bytes]:
    """A file to read them from."""
    return io.BufferedReader(_Blocks(blocks), 2**20)


class _Blocks(io.RawIOBase):
    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._left = blocks, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._left = memoryview(block)
        count = min(len(buffer), len(self._left))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


def _parts(blocks: Iterable[bytes]) -> Iterator[bytes]:
    collected, size = [], 0
    for block in blocks:
        collected.append(block)
        size += len(block)
        if size >= PART_BYTES:
            yield b"".join(collected)
            collected, size = [], 0
    if collected:
        yield b"".join(collected)
