"""A client's connection: requests as they come, answered in their order, several at work at a time.

A request is put together in one buffer of its size, in which its records stay until they are in their file.
"""

import asyncio
import logging
import struct
from collections import deque
from typing import cast

from lastmile.embedded.broker.broker import Broker
from lastmile.embedded.broker.requests import answer
from lastmile.embedded.broker.wire import Malformed, Writer

#: As Kafka's socket.request.max.bytes.
MOST_BYTES = 100 * 2**20
#: No more is read from a client with so many requests under way.
MOST_AT_WORK = 64
_SIZE = struct.Struct(">i")

log = logging.getLogger(__name__)


class Connection(asyncio.BufferedProtocol):
    """One of them."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._buffer, self._filled, self._is_size = bytearray(4), 0, True
        self._answers: deque[asyncio.Task[Writer | None]] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._host = str((transport.get_extra_info("peername") or ["?"])[0])

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        for task in (self._sending, *self._answers):
            if task:
                task.cancel()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if self._filled < len(self._buffer):
            return
        whole, self._filled = self._buffer, 0
        if self._is_size:
            size = _SIZE.unpack(whole)[0]
            if not 8 <= size <= MOST_BYTES:
                log.warning("a client at %s sent what is no request, of %s bytes", self._host, size)
                self._transport.close()
                return
            self._buffer = bytearray(size)
        else:
            self._buffer = bytearray(4)
            self._begin(whole)
        self._is_size = not self._is_size

    def _begin(self, request: bytearray) -> None:
        self._answers.append(asyncio.create_task(answer(self._broker, memoryview(request), self._host)))
        if len(self._answers) >= MOST_AT_WORK:
            self._transport.pause_reading()
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._answers:
            try:
                written = await self._answers[0]
            except Malformed as error:
                log.warning("a client at %s sent a request that cannot be read: %s", self._host, error)
                self._transport.close()
                return
            except Exception:
                log.exception("a request of a client at %s failed", self._host)
                self._transport.close()
                return
            self._answers.popleft()
            if len(self._answers) == MOST_AT_WORK - 1:
                self._transport.resume_reading()
            if written is not None:
                self._transport.writelines([_SIZE.pack(len(written)), *filter(len, written.parts)])
                await self._may_write.wait()
