"""An organisation's own sign-in, by OpenID Connect (authorization code with PKCE), where one is configured.

`/api/v1/auth/oidc/login?next=/path` sends the browser there; it comes back with a session of the web UI. Without `next`
the answer is the tokens for the API, as those of /auth/token.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, cast

import anyio.to_thread
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from httpx2 import HTTPError
from joserfc.errors import JoseError
from starlette.middleware.sessions import SessionMiddleware
from starlette.routing import Mount, Route, Router

from lastmile.access import sessions, users
from lastmile.access.roles import USER_ROLES, Role
from lastmile.access.secret import derived
from lastmile.serving.door.door import Receive, Scope, Send
from lastmile.serving.state import Serving
from lastmile.serving.web_ui.sign_in import own_path, with_cookie
from lastmile.settings.api import SignIn

log = logging.getLogger(__name__)

#: From leaving for the organisation's page to coming back.
_SECONDS = 600


async def leave(request: Request) -> Response:
    """To the organisation's page; what must come back again is in a signed cookie."""
    here: Serving = request.app.state.serving
    request.session["next"] = own_path(request.query_params["next"]) if "next" in request.query_params else None
    try:
        answer: Response = await _client(request).authorize_redirect(request, _callback(here, request))
    except HTTPError as error:
        raise _away(here, error) from error
    return answer


async def come_back(request: Request) -> Response:
    """With a code, which is exchanged for who it is."""
    from authlib.integrations.base_client import OAuthError

    here: Serving = request.app.state.serving
    try:
        token = await _client(request).authorize_access_token(request)
    except HTTPError as error:
        raise _away(here, error) from error
    except (OAuthError, JoseError, ValueError) as error:
        log.warning("a sign-in was refused: %s", error)
        raise HTTPException(401, "the organisation's sign-in was not completed: begin again") from None
    following = request.session.pop("next", None)
    claims = {**(token.get("userinfo") or {})}
    signed_in = await anyio.to_thread.run_sync(_signed_in, here, claims, following is not None)
    if isinstance(signed_in, sessions.Tokens):
        return JSONResponse({**vars(signed_in), "token_type": "bearer"})
    return with_cookie(RedirectResponse(following, 303), signed_in, request.url.scheme)


def _signed_in(here: Serving, claims: Mapping[str, Any], in_web_ui: bool) -> "sessions.Tokens | str":
    settings = _settings(here)
    name, role = name_of(claims), role_of(settings, claims)
    with here.writing() as connection:
        user = users.of_issuer(connection, settings.issuer, str(claims["sub"]), name, role)
        if user.disabled_at:
            raise HTTPException(403, f"{user.name} is disabled; an admin can enable it")
        begin = sessions.begin_in_web_ui if in_web_ui else sessions.begin
        return begin(connection, here.secret, user)


def name_of(claims: Mapping[str, Any]) -> str:
    """The user's name here: a verified address, else the name that the organisation prefers, else its subject."""
    address = claims.get("email") if claims.get("email_verified", True) else None
    said = str(address or claims.get("preferred_username") or claims["sub"]).lower()
    return re.sub(r"[^a-z0-9._@+-]", "-", said).lstrip("._@+-")[:100] or "user"


def role_of(settings: SignIn, claims: Mapping[str, Any]) -> Role:
    """The highest of the roles that the claim names, else the one that everyone has."""
    said = claims.get(settings.role_claim) or []
    named = {said} if isinstance(said, str) else {str(one) for one in said}
    found = [role for role in USER_ROLES if role in named]
    return found[-1] if found else cast("Role", settings.role)


def _settings(here: Serving) -> SignIn:
    if here.api.sign_in is None:
        raise HTTPException(404, "no organisation's sign-in is configured: set LASTMILE_OIDC_ISSUER")
    return here.api.sign_in


def _client(request: Request) -> Any:
    state = request.app.state
    settings = _settings(state.serving)
    if not hasattr(state, "organisation"):
        from authlib.integrations.starlette_client import OAuth

        made = OAuth()
        made.register(
            "organisation",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=f"{settings.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256"},
        )
        state.organisation = made.organisation
    return state.organisation


def _callback(here: Serving, request: Request) -> str:
    base = here.api.public_url or str(request.base_url).rstrip("/")
    return f"{base}/api/v1/auth/oidc/callback"


def _away(here: Serving, error: HTTPError) -> HTTPException:
    log.warning("the organisation's sign-in does not answer: %s", error)
    return HTTPException(503, f"{_settings(here).issuer} does not answer; try again", headers={"Retry-After": "30"})


class _WithSession:
    """ASGI: the two routes with a signed cookie of their own, whose key is the installation's."""

    def __init__(self) -> None:
        self._routes = Router([Route("/login", leave), Route("/callback", come_back)])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = derived(scope["app"].state.serving.secret, "organisation's sign-in")
        app = SessionMiddleware(
            self._routes,
            key.hex(),
            session_cookie="lastmile_sign_in",
            max_age=_SECONDS,
            same_site="lax",
            https_only=scope["scheme"] == "https",
        )
        await app(scope, receive, send)


router = APIRouter(routes=[Mount("/api/v1/auth/oidc", app=_WithSession())])
