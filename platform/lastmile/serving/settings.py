"""How the API is set up, by concern, from the environment. Nothing set: closed to browsers of other sites, no sign-in
but its own, limits that no honest client meets."""

import os
from dataclasses import dataclass, field

from lastmile.errors import UserError


@dataclass(frozen=True)
class Limits:
    """`rate` is per principal, and per address for who has none, as `limits` writes it; `bytes` of a JSON body."""

    rate: str = "500/second"
    sign_ins: str = "10/minute"
    bytes: int = 16 * 2**20
    #: How long a body may make no progress.
    seconds: float = 60.0


@dataclass(frozen=True)
class SignIn:
    """An organisation's own sign-in by OpenID Connect. Its claim `role_claim` says the role, else `role` is given."""

    issuer: str
    client_id: str
    client_secret: str
    role_claim: str = "lastmile_role"
    role: str = "viewer"


@dataclass(frozen=True)
class ApiSettings:
    """`origins` of browser apps that may call it; `public_url` is how it is reached from outside, for sign-in."""

    limits: Limits = field(default_factory=Limits)
    origins: tuple[str, ...] = ()
    sign_in: SignIn | None = None
    public_url: str | None = None

    @classmethod
    def from_environment(cls) -> "ApiSettings":
        """Raises UserError where a variable cannot be what it should."""
        given, usual = os.environ.get, Limits()
        return cls(
            Limits(
                _rate("LASTMILE_RATE_LIMIT", usual.rate),
                _rate("LASTMILE_SIGN_IN_LIMIT", usual.sign_ins),
                _number("LASTMILE_MOST_BODY_BYTES", usual.bytes),
                _number("LASTMILE_BODY_SECONDS", int(usual.seconds)),
            ),
            tuple(filter(None, given("LASTMILE_CORS_ORIGINS", "").split(","))),
            _sign_in(),
            given("LASTMILE_PUBLIC_URL") or None,
        )


def _sign_in() -> SignIn | None:
    given = os.environ.get
    if not (issuer := given("LASTMILE_OIDC_ISSUER")):
        return None
    client, secret = given("LASTMILE_OIDC_CLIENT_ID"), given("LASTMILE_OIDC_CLIENT_SECRET")
    if not client or not secret:
        raise UserError(
            "LASTMILE_OIDC_ISSUER is set: set LASTMILE_OIDC_CLIENT_ID and LASTMILE_OIDC_CLIENT_SECRET as well"
        )
    return SignIn(
        issuer.rstrip("/"),
        client,
        secret,
        given("LASTMILE_OIDC_ROLE_CLAIM") or SignIn.role_claim,
        given("LASTMILE_OIDC_ROLE") or SignIn.role,
    )


def _rate(name: str, usual: str) -> str:
    from limits import parse

    rate = os.environ.get(name) or usual
    try:
        parse(rate)
    except ValueError:
        raise UserError(f"{name} is {rate!r}: expected a number per time, such as {usual}") from None
    return rate


def _number(name: str, usual: int) -> int:
    found = os.environ.get(name) or str(usual)
    if not found.isdecimal() or int(found) == 0:
        raise UserError(f"{name} is {found!r}: expected a whole number above 0, such as {usual}")
    return int(found)
