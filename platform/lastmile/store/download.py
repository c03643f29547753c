"""The bytes of an object on their way into a file: as fast as they come, at bounded memory.

A large object of a bucket is asked for in ranges, several at once, since one connection alone seldom fills a line.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

import obstore
from obstore.store import ObjectStore

#: Bytes of a range, and ranges asked for at once: they are held in memory, 64 MiB at most.
RANGE = 8 * 2**20
AT_ONCE = 8


def ranges(backend: ObjectStore, key: str, size: int, e_tag: str | None) -> Iterator[Any]:
    """The object's bytes in order, range by range, as long as it keeps its `e_tag`."""

    def get(start: int) -> Any:
        span = (start, min(start + RANGE, size))
        return obstore.get(backend, key, options={"range": span, "if_match": e_tag}).bytes()

    under_way: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="range") as requests:
        try:
            for start in range(0, size, RANGE):
                if len(under_way) == AT_ONCE:
                    yield under_way.popleft().result()
                under_way.append(requests.submit(get, start))
            while under_way:
                yield under_way.popleft().result()
        finally:
            for unwanted in under_way:
                unwanted.cancel()


def write(chunks: Iterable[Any], file: IO[bytes]) -> tuple[str, int]:
    """Write the chunks; returns their SHA-256 in hex and their size. Hashing takes as long as writing: both at once."""
    digest, size = hashlib.sha256(), 0
    with ThreadPoolExecutor(1, thread_name_prefix="hash") as hashing:
        for chunk in chunks:
            hashed = hashing.submit(digest.update, chunk)
            size += file.write(chunk)
            hashed.result()
    return digest.hexdigest(), size
