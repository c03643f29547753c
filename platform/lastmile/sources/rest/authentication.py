"""Who a request is from. Values of secrets are read when a run begins, and are never part of a message."""

import time
from collections.abc import Generator
from typing import Any

import httpx

from lastmile.errors import UserError
from lastmile.sources.declarations.authentication import (
    Authentication,
    Bearer,
    ClientCredentials,
    HeaderKey,
    QueryKey,
)
from lastmile.sources.declarations.setting import Setting
from lastmile.sources.rest.judgement import Judge

#: A token is renewed so long before it runs out, because clocks and networks differ.
_EARLY_SECONDS = 30.0
#: Of a token whose life is not stated.
_LIFE_SECONDS = 300.0


def secrets_of(declared: Authentication | None) -> tuple[str, ...]:
    """The values that no message may have in it. Raises UserError where one is not set."""
    match declared:
        case None:
            return ()
        case ClientCredentials():
            return (declared.client_secret.value(),)
        case Bearer():
            return (declared.token.value(),)
        case HeaderKey() | QueryKey():
            return (declared.key.value(),)


def auth_of(declared: Authentication | None, judge: Judge) -> httpx.Auth | None:
    """What signs requests."""
    if declared is None:
        return None
    if isinstance(declared, ClientCredentials):
        return Tokens(declared, judge)
    (key,) = secrets_of(declared)
    if not (key.isprintable() and key.isascii()):
        raise UserError(f"source {judge.source}: its key has characters that no header may have; correct its setting")
    return Key(declared, key)


class Key(httpx.Auth):
    """A key that stays the same."""

    def __init__(self, declared: HeaderKey | QueryKey | Bearer, key: str) -> None:
        self._declared, self._key = declared, key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if isinstance(self._declared, QueryKey):
            request.url = request.url.copy_set_param(self._declared.parameter, self._key)
        elif isinstance(self._declared, HeaderKey):
            request.headers[self._declared.header] = self._key
        else:
            request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


class Tokens(httpx.Auth):
    """OAuth2 tokens of client credentials: one is used until shortly before it runs out, or until it is refused."""

    def __init__(self, declared: ClientCredentials, judge: Judge) -> None:
        self._declared, self._judge = declared, judge
        self._address = declared.token_url.value() if isinstance(declared.token_url, Setting) else declared.token_url
        self._token, self._good_until = "", 0.0

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        is_new = time.monotonic() >= self._good_until
        if is_new:
            yield from self._renew()
        response = yield self._signed(request)
        if response.status_code == httpx.codes.UNAUTHORIZED and not is_new:
            yield from self._renew()
            yield self._signed(request)

    def _signed(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _renew(self) -> Generator[httpx.Request, httpx.Response, None]:
        declared, form = self._declared, {"grant_type": "client_credentials"}
        identity, secret = declared.client_id.value(), declared.client_secret.value()
        if declared.scope:
            form["scope"] = declared.scope
        if declared.in_body:
            form |= {"client_id": identity, "client_secret": secret}
        request = httpx.Request("POST", self._address, data=form, headers={"Accept": "application/json"})
        if not declared.in_body:
            request = next(httpx.BasicAuth(identity, secret).auth_flow(request))
        response = yield request
        response.read()
        self._judge.expect_success(response, response.text, "the token")
        self._token, life = _token(response, self._judge.source)
        self._good_until = time.monotonic() + max(0.0, life - _EARLY_SECONDS)


def _token(response: httpx.Response, source: str) -> tuple[str, float]:
    try:
        found: Any = response.json()
        return str(found["access_token"]), float(found.get("expires_in") or _LIFE_SECONDS)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"source {source}: expected a token as JSON with `access_token`, found something else; correct `token_url`"
        ) from None
