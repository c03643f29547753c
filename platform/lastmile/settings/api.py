"""How the API is set up, by concern. Nothing set: closed to browsers of other sites, no sign-in but its own, limits
that no honest client meets."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lastmile.errors import UserError
from lastmile.settings.access import hard_to_guess
from lastmile.settings.group import at_least, begins_with, load, variable


def fault_of_rate(text: str) -> str | None:
    from limits import parse

    try:
        parse(text)
    except ValueError:
        return "expected a number per time"
    return None


@dataclass(frozen=True)
class Limits:
    """Limits of the API. `rate` is per principal, and per address for who has none, as `limits` writes it."""

    rate: str = variable(
        "LASTMILE_RATE_LIMIT",
        "Requests of one principal, or of one address without one.",
        "500/second",
        example="500/second",
        check=fault_of_rate,
    )
    sign_ins: str = variable(
        "LASTMILE_SIGN_IN_LIMIT", "Sign-ins from one address.", "10/minute", example="10/minute", check=fault_of_rate
    )
    bytes: int = variable(
        "LASTMILE_MOST_BODY_BYTES", "The longest JSON body.", 16 * 2**20, example="16777216", check=at_least(1)
    )
    seconds: float = variable(
        "LASTMILE_BODY_SECONDS", "How long a body may make no progress.", 60.0, example="60", check=at_least(1)
    )


@dataclass(frozen=True)
class SignIn:
    """An organisation's own sign-in by OpenID Connect. Its claim `role_claim` says the role, else `role` is given."""

    issuer: str = variable(
        "LASTMILE_OIDC_ISSUER",
        "Address of the organisation's own sign-in.",
        "",
        check=begins_with("https://", "http://"),
    )
    client_id: str = variable("LASTMILE_OIDC_CLIENT_ID", "The client that it knows this API as.", "")
    client_secret: str = variable("LASTMILE_OIDC_CLIENT_SECRET", "The secret of that client.", "", secret=True)
    role_claim: str = variable("LASTMILE_OIDC_ROLE_CLAIM", "The claim that names a user's roles.", "lastmile_role")
    role: str = variable("LASTMILE_OIDC_ROLE", "The role of a user without that claim.", "viewer")

    def __post_init__(self) -> None:
        if self.issuer and not (self.client_id and self.client_secret):
            raise UserError(
                "LASTMILE_OIDC_ISSUER is set: set LASTMILE_OIDC_CLIENT_ID and LASTMILE_OIDC_CLIENT_SECRET as well"
            )


@dataclass(frozen=True)
class ApiSettings:
    """How the API is reached. `origins` are of browser apps that may call it; `public_url` is for sign-in."""

    limits: Limits = field(default_factory=Limits)
    origins: tuple[str, ...] = variable(
        "LASTMILE_CORS_ORIGINS", "Browser apps of other sites that may call the API, separated by commas.", ()
    )
    sign_in: SignIn | None = None
    metrics_key: str | None = variable(
        "LASTMILE_METRICS_KEY",
        "What Prometheus sends as its bearer token, and may read `/metrics` with and nothing else.",
        None,
        secret=True,
        check=hard_to_guess,
    )
    public_url: str | None = variable(
        "LASTMILE_PUBLIC_URL", "How the API is reached from outside.", None, check=begins_with("https://", "http://")
    )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "ApiSettings":
        """Raises UserError where a variable cannot be what it should."""
        sign_in = load(SignIn, environ)
        return replace(
            load(cls, environ),
            limits=load(Limits, environ),
            sign_in=replace(sign_in, issuer=sign_in.issuer.rstrip("/")) if sign_in.issuer else None,
        )
