"""Who may see the web UI, and who may change something in it: the same users and roles as the API's.

While there is no user, this machine's own addresses are let in as they always were. Viewers and analysts read; who may
`run` launches, cancels, reloads. What anybody changes is in the audit log, by the name of Dagster's mutation.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote

import anyio.to_thread
import psycopg
from limits.aio.strategies import MovingWindowRateLimiter
from psycopg_pool import PoolTimeout
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from lastmile.access import audit, sessions, users
from lastmile.access.principal import Principal
from lastmile.errors import Unreachable
from lastmile.serving.door.door import App, Message, Receive, Scope, Send, storage
from lastmile.serving.door.identity import Identities, credential_of
from lastmile.serving.door.permission import is_local
from lastmile.serving.problems import NO_DATABASE, problem
from lastmile.serving.state import Serving
from lastmile.serving.web_ui.mutations import mutations
from lastmile.serving.web_ui.sign_in import COOKIE, PATHS, SignInPages, is_of_this_site
from lastmile.telemetry.logs import adopt

#: What is sent to Dagster's GraphQL at once; its largest requests name thousands of partitions.
_MOST_BYTES = 16 * 2**20
#: Paths that say more of a run than its page does, or report events of assets.
_FOR_RUNNERS = ("/download_debug", "/report_asset_")
#: Changes of what one sees only.
_HARMLESS = {"setNuxSeen", "logTelemetry"}


def guarded(here: Serving) -> Callable[[App], App]:
    """What puts the guard around Dagster's app."""
    return lambda app: Guard(app, here)


class Guard:
    """ASGI, around Dagster's app. `lastmile.read_only` in the scope makes Dagster's own buttons know as well."""

    def __init__(self, app: App, here: Serving) -> None:
        self._app, self._here = app, here
        self._identities = Identities(here, sessions.WEB_UI)
        self._pages = SignInPages(here, MovingWindowRateLimiter(storage(here.settings.redis_url)))
        self._has_users = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with self._opened():
                await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in PATHS:
            await self._pages(scope, receive, send)
        else:
            await self._guarded(scope, receive, send)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        adopt()  # uvicorn's loggers, which it has set up by now
        self._here.open()
        self._identities.open()
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(self._identities.close)
            self._here.close()

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            principal = await self._principal(scope, headers)
            is_open = principal is None and await self._is_open(scope)
        except (psycopg.Error, PoolTimeout, Unreachable):
            await _refuse(problem(503, NO_DATABASE, headers={"Retry-After": "5"}), scope, receive, send)
            return
        if not is_open and (refused := _refusal(scope, headers, principal)):
            await _refuse(refused, scope, receive, send)
            return
        if principal and scope["type"] == "http" and scope["path"].endswith("/graphql"):
            checked = await self._checked(scope, receive, send, principal)
            if checked is None:
                return
            receive = checked
        scope["lastmile.read_only"] = principal is not None and not principal.may("run")
        await self._app(scope, receive, send)

    async def _principal(self, scope: Scope, headers: Headers) -> Principal | None:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        credential = credential_of(dict(scope["headers"])) or (cookie.value if cookie else None)
        if credential is None:
            return None
        known, found = self._identities.remembered(credential)
        return found if known else await anyio.to_thread.run_sync(self._identities.find, credential)

    async def _is_open(self, scope: Scope) -> bool:
        if not is_local(HTTPConnection(scope)):
            return False
        if not self._has_users:
            self._has_users = await anyio.to_thread.run_sync(self._look_for_users)
        return not self._has_users

    def _look_for_users(self) -> bool:
        with self._here.reading() as connection:
            return users.exist(connection)

    async def _checked(
        self, scope: Scope, receive: Receive, send: Send, principal: Principal
    ) -> Callable[[], Awaitable[Message]] | None:
        """The body once more, where the principal may do what it says; else the refusal is sent."""
        body = await _body(receive)
        if body is None:
            detail = f"expected at most {_MOST_BYTES:,} bytes"
            await problem(413, detail)(scope, receive, send)
            return None
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        changes = mutations(body, Headers(scope=scope).get("content-type", ""), query)
        if changes - _HARMLESS:
            if not principal.may("run"):
                detail = f"the role {principal.role} reads here and changes nothing; an admin can give another one"
                await problem(403, detail)(scope, receive, send)
                return None
            await anyio.to_thread.run_sync(self._record, principal, sorted(changes))
        return _again(body, receive)

    def _record(self, principal: Principal, changes: list[str]) -> None:
        with self._here.writing() as connection:
            audit.record(connection, *(audit.Entry(principal.name, "web UI", change) for change in changes))


def _refusal(scope: Scope, headers: Headers, principal: Principal | None) -> Response | None:
    if principal is None:
        if scope["type"] == "http" and scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
            return RedirectResponse(f"{PATHS[0]}?next={quote(scope['path'])}", 303)
        return problem(401, "this needs a sign-in: open the web UI in a browser, or send an API key as a bearer token")
    if not principal.may("read"):
        return problem(403, f"the role {principal.role} may not read")
    changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
    if changes and not is_of_this_site(headers):
        return problem(403, f"a page of {headers['origin']} may not act here")
    if any(part in scope["path"] for part in _FOR_RUNNERS) and not principal.may("run"):
        return problem(403, f"the role {principal.role} may not see or report that")
    return None


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # before it is accepted: HTTP 403
    else:
        await response(scope, receive, send)


async def _body(receive: Receive) -> bytes | None:
    found = bytearray()
    while True:
        message = await receive()
        found += message.get("body", b"")
        if len(found) > _MOST_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(found)


def _again(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Any:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
