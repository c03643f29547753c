"""Rows that are sent while they are read: on connections of their own, few at a time, ended with their client.

What fails before the first block is a problem like any other; after that the answer breaks off, without its end, so
that no client mistakes a part for the whole.
"""

import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import suppress

import anyio
import psycopg
from anyio.to_thread import run_sync
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lastmile.errors import Unreachable
from lastmile.warehouse.connections import CLIENT

#: In one process; each has a connection for as long as its client reads.
MOST = 6
_SECONDS_TO_WAIT = 5.0
_OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=30min -c TimeZone=UTC"

_free = threading.BoundedSemaphore(MOST)


class Stream:
    """Blocks of what `read(connection)` yields. `begin` waits for the first; `close` ends it at any moment."""

    def __init__(self, url: str, read: Callable[[Connection], Generator[bytes, None, None]]) -> None:
        self._url, self._read = url, read
        self._connection: Connection | None = None
        self._blocks: Generator[bytes, None, None] | None = None
        self._first: bytes | None = None
        #: Held by the thread that uses the connection: none is closed under another.
        self._using, self._closing = threading.Lock(), threading.Lock()
        self._closed = False

    def begin(self) -> "Stream":
        if not _free.acquire(timeout=_SECONDS_TO_WAIT):
            raise Unreachable(f"{MOST} exports are being read already; try again when one has ended")
        try:
            self._connection = psycopg.connect(make_conninfo(self._url, **CLIENT, options=_OPTIONS), autocommit=True)
            self._blocks = self._read(self._connection)
            self._first = next(self._blocks, None)
        except BaseException:
            self.close()
            raise
        return self

    def next(self) -> bytes | None:
        """The next block, None at the end."""
        with self._using:
            if (first := self._first) is not None:
                self._first = None
                return first
            return None if self._closed or self._blocks is None else next(self._blocks, None)

    def close(self) -> None:
        """Cancel the query, from whichever thread, and give the connection up; once."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            try:
                if self._connection is not None:
                    with suppress(psycopg.Error):
                        self._connection.cancel_safe(timeout=2)
                    with self._using, suppress(psycopg.Error):
                        if self._blocks is not None:
                            self._blocks.close()
                    self._connection.close()
            finally:
                _free.release()


class Streamed(StreamingResponse):
    """A stream that has begun."""

    def __init__(self, stream: Stream, media_type: str, name: str) -> None:
        self._stream = stream
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(self._all(), media_type=media_type, headers=headers)

    async def _all(self) -> AsyncIterator[bytes]:
        while (block := await run_sync(self._stream.next)) is not None:
            yield block

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """A client that goes away ends the query, also while it works on its next row."""
        gone = False

        async def watch() -> None:
            nonlocal gone
            while (await receive())["type"] != "http.disconnect":
                pass
            gone = True
            await run_sync(self._stream.close)

        try:
            async with anyio.create_task_group() as group:
                group.start_soon(watch)
                try:
                    await self.stream_response(send)
                except Exception:
                    if not gone:
                        raise
                group.cancel_scope.cancel()
        except* (OSError, ClientDisconnect):
            pass
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._stream.close)
