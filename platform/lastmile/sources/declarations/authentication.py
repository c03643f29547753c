"""How a REST source says who it is. Secrets are settings: none is ever in a declaration."""

from dataclasses import dataclass

from lastmile.sources.declarations.setting import Setting


@dataclass(frozen=True)
class HeaderKey:
    """A key in a header of each request."""

    key: Setting
    header: str = "X-API-Key"


@dataclass(frozen=True)
class QueryKey:
    """A key among the parameters of each request."""

    key: Setting
    parameter: str = "api_key"


@dataclass(frozen=True)
class Bearer:
    """A token that was made once: `Authorization: Bearer <token>`."""

    token: Setting


@dataclass(frozen=True, kw_only=True)
class ClientCredentials:
    """OAuth2: a token that is requested with an id and a secret, and again when it has run out (RFC 6749, 4.4)."""

    token_url: str | Setting
    client_id: Setting
    client_secret: Setting
    scope: str | None = None
    #: Whether id and secret are sent by HTTP Basic, as the standard wants it, or in the body.
    in_body: bool = False


Authentication = HeaderKey | QueryKey | Bearer | ClientCredentials
