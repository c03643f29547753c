"""The middleware that every request passes: who it is, how often they may, how large it may be, how long it took.

Plain ASGI, since each prediction passes it: about 0.05 ms.
"""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import anyio
import anyio.to_thread
import psycopg
from fastapi import HTTPException
from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import RateLimiter
from psycopg_pool import PoolTimeout
from starlette.responses import Response

from lastmile.access.principal import Principal
from lastmile.serving.door.identity import Identities, credential_of
from lastmile.serving.problems import NO_DATABASE, problem, too_large
from lastmile.serving.state import Serving
from lastmile.telemetry.spans import about, continuing, span

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Their bodies are streamed to the store, within the dataset's own limit.
STREAMED = re.compile(r"/api/v1/(datasets/[^/]+/(files|uploads)|uploads/[^/]+)")
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
METRICS = "/metrics"
_PROBES = ("/api/v1/health/", "/health", "/ready")


class Door:
    """`observe(route, method, status, seconds)` is called after each request."""

    def __init__(
        self, app: App, here: Serving, identities: Identities, limiter: RateLimiter, observe: Callable[..., None]
    ) -> None:
        self._app, self._here, self._identities, self._observe = app, here, identities, observe
        self._limiter, self._rate = limiter, parse(here.api.limits.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope["request_id"] = secrets.token_hex(8)
        headers = dict(scope["headers"])
        if scope["type"] == "websocket" or scope["path"].startswith(_PROBES):
            await self._passed(scope, receive, send, headers)
            return
        sent = headers.get(b"traceparent", b"").decode("latin-1")
        known = {"method": scope["method"], "request": scope["request_id"]}
        with about(request=scope["request_id"]), continuing(sent), span("serving.request", **known) as done:
            route, status = await self._passed(scope, receive, send, headers)
            done(route=route, status=status, **({"problem": f"status {status}"} if status >= 500 else {}))

    async def _passed(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, bytes]) -> tuple[str, int]:
        """Answer it; its route, and the status of the answer."""
        began, status = time.perf_counter(), 500

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name for name, _ in message.get("headers", ())}
                added = [pair for pair in SECURITY_HEADERS if pair[0] not in own]
                last = [(b"connection", b"close")] if self._here.is_draining else []
                message["headers"] = [
                    *message.get("headers", ()),
                    *added,
                    *last,
                    (b"x-request-id", scope["request_id"].encode()),
                ]
            await send(message)

        try:
            refused = await self._refused(scope, headers)
            if refused is None:
                await self._app(scope, self._bounded(scope, receive), with_headers)
            elif scope["type"] == "websocket":
                status = refused.status_code
                await send({"type": "websocket.close", "code": 1008, "reason": "see the problem of a plain request"})
            else:
                await refused(scope, receive, with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._observe(route, scope.get("method", "WEBSOCKET"), status, time.perf_counter() - began)
        return route, status

    async def _refused(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        """Why the request goes no further; else its principal is in the scope."""
        scope["principal"] = None
        if scope["path"].startswith(_PROBES):
            return None
        most = self._here.api.limits.bytes
        length = headers.get(b"content-length", b"0")
        if not _is_streamed(scope) and length.isdigit() and int(length) > most:
            return problem(413, too_large(most))
        credential = credential_of(headers)
        if credential and self._is_scraper(scope, credential):
            scope["is_scraper"] = True
        elif credential:
            try:
                scope["principal"] = await self._principal(credential)
            except (psycopg.Error, PoolTimeout) as error:
                log.warning("%s: %s", type(error).__name__, error)
                return problem(503, NO_DATABASE, headers={"Retry-After": "5"})
            if scope["principal"] is None:
                return problem(
                    401,
                    "the key or token is not valid, or no longer: make another key, or sign in again",
                    headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
                )
        return await self._limited(scope)

    def _is_scraper(self, scope: Scope, credential: str) -> bool:
        key = self._here.api.metrics_key
        return (
            key is not None and scope["path"] == METRICS and secrets.compare_digest(credential.encode(), key.encode())
        )

    async def _principal(self, credential: str) -> Principal | None:
        known, found = self._identities.remembered(credential)
        return found if known else await anyio.to_thread.run_sync(self._identities.find, credential)

    async def _limited(self, scope: Scope) -> Response | None:
        principal: Principal | None = scope["principal"]
        who = principal.name if principal else (scope.get("client") or ("unknown",))[0]
        try:
            allowed = await self._limiter.hit(self._rate, who)
        except Exception:  # whatever a storage raises: without a count no request gets in
            log.exception("the limiter of requests failed")
            return problem(503, "requests cannot be counted at the moment; try again", headers={"Retry-After": "5"})
        if allowed:
            return None
        detail = f"more than {self._here.api.limits.rate} requests of {who}; wait, or send many records in one request"
        return problem(429, detail, headers={"Retry-After": "1"})

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """The body: refused where it grows over the limit whatever its header said, or makes no progress."""
        limits, streamed = self._here.api.limits, _is_streamed(scope)
        size, is_whole = 0, scope["type"] == "websocket"

        async def bounded() -> Message:
            nonlocal size, is_whole
            if is_whole:
                return await receive()
            with anyio.move_on_after(limits.seconds) as waited:
                message = await receive()
            if waited.cancelled_caught:
                if streamed:
                    return {"type": "http.disconnect"}  # what came is kept where an upload can go on
                raise HTTPException(408, f"nothing more of the body came within {limits.seconds:g} s; send it again")
            size += len(message.get("body", b""))
            if size > limits.bytes and not streamed:
                raise HTTPException(413, too_large(limits.bytes))
            is_whole = not message.get("more_body", False)
            return message

        return bounded


def _is_streamed(scope: Scope) -> bool:
    return STREAMED.fullmatch(scope["path"]) is not None


def storage(redis_url: str | None) -> Any:
    """Counts of all processes together where there is a Redis, else of this one."""
    if redis_url is None:
        return MemoryStorage()
    from limits.aio.storage import RedisStorage

    return RedisStorage(f"async+{redis_url}", implementation="redispy")
