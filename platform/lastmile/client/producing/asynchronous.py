"""The producer for programs on asyncio: to keep an event is quick and needs no thread, to wait for the broker is not
to block."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from lastmile.client.producing.encoding import Event
from lastmile.client.producing.journal import BufferFull
from lastmile.client.producing.metrics import Metrics
from lastmile.client.producing.producer import Producer

_AGAIN_SECONDS = 0.05


class AsyncProducer:
    """As Producer, with its arguments; see there. Where the journal is full, `send` waits so long for room."""

    def __init__(self, *arguments: Any, patience_seconds: float = 0.0, **more: Any) -> None:
        self.producer = Producer(*arguments, **more)
        self._patience = patience_seconds

    async def send(self, event: Event, key: str | bytes | None = None) -> int:
        return await self.send_many([event], key)

    async def send_many(self, events: Iterable[Event], key: str | bytes | None = None) -> int:
        """Raises InvalidEvent, BufferFull."""
        many = list(events)
        return await self._kept(lambda: self.producer.send_many(many, key))

    async def send_bytes(self, value: bytes, key: str | bytes | None = None) -> int:
        """Keep a message as it is, unchecked."""
        return await self._kept(lambda: self.producer.send_bytes(value, key))

    async def _kept(self, keep: Callable[[], int]) -> int:
        until = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                return keep()
            except BufferFull:
                if asyncio.get_running_loop().time() >= until:
                    raise
            await asyncio.sleep(_AGAIN_SECONDS)

    async def wait(self, place: int | None = None, seconds: float | None = None) -> bool:
        """Whether the broker has acknowledged all up to a place, or all there is, within that time."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def acknowledged() -> None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(done.set)

        self.producer.call_when_acknowledged(self.producer.end if place is None else place, acknowledged)
        try:
            await asyncio.wait_for(done.wait(), seconds)
        except TimeoutError:
            return False
        return True

    @property
    def metrics(self) -> Metrics:
        return self.producer.metrics

    async def close(self, seconds: float = 10.0) -> bool:
        """Wait so long for what is on its way; returns whether nothing is left in the journal."""
        done = await self.wait(seconds=seconds)
        await asyncio.to_thread(self.producer.close, 0.0)
        return done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
