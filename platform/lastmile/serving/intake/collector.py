"""Events of web pages into topics: durable before they are answered for.

They go into a journal, and from there to the broker. An answer waits for the broker's acknowledgement; where that does
not come soon, for the disk. What waits in the journal of a process that died is sent by the next one.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from anyio.to_thread import run_sync
from fastapi import HTTPException
from prometheus_client import CollectorRegistry, Counter, Gauge

from lastmile.client import AsyncProducer, BufferFull, Locked, Producer
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.collecting import CollectSettings
from lastmile.settings.group import load
from lastmile.settings.kafka import KafkaSettings

log = logging.getLogger(__name__)

#: The broker's acknowledgement is waited for so long.
_PATIENCE_SECONDS = 0.5
_CLOSE_SECONDS = 2.0
_RETRY = {"Retry-After": "5"}


class _Topic:
    """The producer of one topic, and those that send what other processes left."""

    def __init__(self, topic: str, folder: Path, servers: Mapping[str, str], most_bytes: int) -> None:
        self._settings: dict[str, Any] = {
            "servers": servers["bootstrap.servers"], "topic": topic, "most_bytes": most_bytes, "client": servers
        }  # fmt: skip
        self.sending: AsyncProducer | None = None
        self.left: list[Producer] = []
        self._durable, self._syncing = 0, asyncio.Lock()
        self._open(folder)

    async def send(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Returns when they are durable. Raises BufferFull."""
        assert self.sending is not None  # noqa: S101  # `_open` has found a journal
        place = await self.sending.send_many(events)
        if not self.sending.metrics.problem and await self.sending.wait(place, _PATIENCE_SECONDS):
            return
        async with self._syncing:
            if self._durable < place:
                end = self.sending.producer.end
                await run_sync(self.sending.producer.make_durable)
                self._durable = end

    def close(self) -> None:
        for one in self._producers():
            one.close(_CLOSE_SECONDS)

    def waiting_bytes(self) -> float:
        return float(sum(one.metrics.queued_bytes for one in self._producers()))

    def _producers(self) -> list[Producer]:
        return [*([self.sending.producer] if self.sending else []), *self.left]

    def _open(self, folder: Path) -> None:
        """The first journal that no process has is ours; what others hold that ended is sent as well."""
        there = sorted(int(one.name) for one in folder.iterdir()) if folder.exists() else []
        for number in sorted({*there, max(there, default=0) + 1}):
            if self.sending is not None and number not in there:
                break
            try:
                found = AsyncProducer(journal=folder / str(number), **self._settings)
            except Locked:
                continue
            found.producer.make_durable()
            if self.sending is None:
                self.sending = found
            else:
                self.left.append(found.producer)


class Collector:
    """What the router sends to; its topics are opened when they are first needed."""

    def __init__(self, settings: Settings, registry: CollectorRegistry) -> None:
        self.settings = load(CollectSettings)
        self._folder = self.settings.folder or settings.home / "collect"
        self._topics: dict[str, _Topic] = {}
        self._opening = threading.Lock()
        self._events = Counter("lastmile_collected_events", "Events of web pages.", ["stream"], registry=registry)
        self._waiting = Gauge(
            "lastmile_collected_waiting_bytes", "Events of web pages that wait for the broker.", registry=registry
        )
        self._waiting.set_function(lambda: sum(one.waiting_bytes() for one in list(self._topics.values())))

    async def send(self, stream: str, topic: str, events: list[Mapping[str, Any]]) -> None:
        """Returns when they are durable. Raises HTTPException (503) where they cannot be now."""
        try:
            if topic not in self._topics:
                await run_sync(self._opened, topic)
            await self._topics[topic].send(events)
        except (BufferFull, UserError, OSError) as error:
            log.warning("events for %s are refused: %s", stream, error)
            raise HTTPException(503, f"events cannot be kept at the moment: {error}", headers=_RETRY) from None
        self._events.labels(stream).inc(len(events))

    def open(self) -> None:
        """Send what earlier processes left."""
        for folder in sorted(self._folder.iterdir()) if self._folder.exists() else ():
            try:
                self._opened(folder.name)
            except (UserError, OSError) as error:
                log.warning("events of %s wait: %s", folder.name, error)

    def close(self) -> None:
        for one in self._topics.values():
            one.close()

    def _opened(self, topic: str) -> None:
        with self._opening:
            if topic not in self._topics:
                servers = load(KafkaSettings).client()
                self._topics[topic] = _Topic(topic, self._folder / topic, servers, self.settings.buffer_bytes)
