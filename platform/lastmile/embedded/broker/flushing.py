"""Having records on disk: what was written while the disk was at work goes there together, and is then acknowledged.

Where the disk fails, the process ends: what the system has dropped from its cache cannot be brought there by trying
again, and only a start from the files tells what they have.
"""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from lastmile.embedded.broker.partition import Partition


class Flushing:
    """One flush at a time, of all partitions that were written to since the last."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="flush")
        self._waiting: dict[Partition, list[asyncio.Future[None]]] = {}
        self._work: asyncio.Task[None] | None = None

    async def flushed(self, partition: Partition) -> None:
        """Return once all that is written to the partition by now is on disk."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(partition, []).append(done)
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, {}
            await asyncio.gather(*(self._sync(partition, done) for partition, done in batch.items()))

    async def _sync(self, partition: Partition, waiting: list[asyncio.Future[None]]) -> None:
        try:
            end = await asyncio.get_running_loop().run_in_executor(self._threads, partition.sync)
        except OSError as error:
            if not partition.is_closed:
                print(f"the disk failed under {partition.folder}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
        else:
            partition.synced(end)
        for done in waiting:
            if not done.done():
                done.set_result(None)
