"""The page to sign in to the web UI, and the cookie that it gives: one for this UI, which the API does not accept."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio.to_thread
from jinja2 import Environment
from limits import parse
from limits.aio.strategies import RateLimiter
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from lastmile.access import sessions, users
from lastmile.serving.door.door import Receive, Scope, Send
from lastmile.serving.problems import problem
from lastmile.serving.state import Serving

COOKIE = "lastmile_session"
#: The page, and what ends a session.
PATHS = ("/lastmile/sign-in", "/lastmile/sign-out")
#: Browsers read a backslash as a slash, and pass over control characters: `//host` is another site.
_OWN_PATH = re.compile(r"/(?:[^/\\\x00-\x20][^\\\x00-\x20]*)?")
_CSP = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
_PAGE = Environment(autoescape=True).from_string((Path(__file__).parent / "sign_in.html").read_text())


class SignInPages:
    """ASGI, for the two paths."""

    def __init__(self, here: Serving, limiter: RateLimiter) -> None:
        self._here, self._limiter = here, limiter
        self._rate = parse(here.api.limits.sign_ins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        await (await self._answer(request))(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.url.path == PATHS[1]:
            return await self._sign_out(request)
        following = own_path(request.query_params.get("next", "/"))
        if request.method == "GET":
            return _page(self._here, following)
        if request.method != "POST" or not is_of_this_site(request.headers):
            return problem(405, "sign in with the form of this page")
        if not await self._limiter.hit(self._rate, "sign in", request.client.host if request.client else "unknown"):
            return _page(self._here, following, "Too many attempts: wait a minute.", 429)
        form = await request.form(max_fields=4)
        given = str(form.get("name", ""))[:256], str(form.get("password", ""))[:256]
        token = await anyio.to_thread.run_sync(self._signed_in, *given)
        if token is None:
            return _page(self._here, following, "No user has this name and password.", 401)
        return with_cookie(RedirectResponse(following, 303), token, request.url.scheme)

    def _signed_in(self, name: str, password: str) -> str | None:
        with self._here.writing() as connection:
            user = users.signed_in(connection, name.replace("\0", ""), password)
            return sessions.begin_in_web_ui(connection, self._here.secret, user) if user else None

    async def _sign_out(self, request: Request) -> Response:
        session = sessions.session_of(self._here.secret, request.cookies.get(COOKIE, ""), sessions.WEB_UI)
        if session and request.method == "POST" and is_of_this_site(request.headers):
            await anyio.to_thread.run_sync(self._end, session)
        answer = RedirectResponse(PATHS[0], 303)
        answer.delete_cookie(COOKIE)
        return answer

    def _end(self, session: str) -> None:
        with self._here.writing() as connection:
            sessions.end(connection, session)


def with_cookie(answer: Response, token: str, scheme: str) -> Response:
    """Set the cookie: no script reads it, no other site's request has it."""
    life = int(sessions.WEB_UI_LIFE.total_seconds())
    answer.set_cookie(COOKIE, token, max_age=life, httponly=True, samesite="lax", secure=scheme == "https")
    return answer


def own_path(following: str) -> str:
    """A path of this site, whatever was given."""
    return following if _OWN_PATH.fullmatch(following) else "/"


def is_of_this_site(headers: Headers) -> bool:
    """Browsers say of which page a request is; programs say nothing."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def _page(here: Serving, following: str, fault: str = "", status: int = 200) -> HTMLResponse:
    shown: dict[str, Any] = {"next": following, "fault": fault, "organisation": None}
    if here.api.sign_in and here.api.public_url:
        shown["organisation"] = f"{here.api.public_url}/api/v1/auth/oidc/login"
    headers = {"content-security-policy": _CSP, "cache-control": "no-store", "x-frame-options": "DENY"}
    return HTMLResponse(_PAGE.render(shown), status, headers)
