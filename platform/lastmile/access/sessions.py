"""Sessions of users: a short access token (JWT), and a refresh token that is valid once.

A refresh token that is used a second time was copied: the session ends, for all who have it.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from psycopg import Connection
from psycopg.rows import class_row

from lastmile.access import audit
from lastmile.access.changes import announce
from lastmile.access.principal import Principal
from lastmile.access.secret import derived
from lastmile.access.users import User

ACCESS_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(days=14)
_ALGORITHM = "HS256"
#: Whom a token is for: the API takes none that is for the web UI, since browsers send that one by themselves.
API, WEB_UI = "lastmile", "lastmile web UI"
WEB_UI_LIFE = timedelta(hours=12)


@dataclass(frozen=True)
class Tokens:
    """What a sign-in gives; `expires_in` is in seconds, of the access token."""

    access_token: str
    refresh_token: str
    expires_in: int


def begin(connection: Connection, own: bytes, user: User) -> Tokens:
    """A new session of the user."""
    session, refresh = str(uuid4()), secrets.token_urlsafe(32)
    with connection.transaction():
        connection.execute(
            "INSERT INTO access.sessions (id, user_id, refresh, expires_at) VALUES (%s, %s, %s, now() + %s)",
            [session, user.id, _digest(own, refresh), SESSION_LIFE],
        )
        audit.record(connection, audit.Entry(f"user:{user.name}", "sign in", session))
    return _tokens(own, session, refresh)


def begin_in_web_ui(connection: Connection, own: bytes, user: User) -> str:
    """A new session of the user, as one token that lasts a working day."""
    session = begin(connection, own, user).refresh_token.partition(".")[0]
    return _token(own, session, WEB_UI, WEB_UI_LIFE)


def renew(connection: Connection, own: bytes, refresh_token: str) -> Tokens | None:
    """The next pair of tokens; None where the refresh token is not, or no longer, valid."""
    session, _, refresh = refresh_token.partition(".")
    following = secrets.token_urlsafe(32)
    with connection.transaction():
        row = connection.execute(
            "SELECT refresh FROM access.sessions JOIN access.users ON users.id = user_id WHERE sessions.id::text = %s"
            " AND revoked_at IS NULL AND expires_at > now() AND disabled_at IS NULL FOR UPDATE OF sessions",
            [session],
        ).fetchone()
        if row is None:
            return None
        if not hmac.compare_digest(row[0], _digest(own, refresh)):
            end(connection, session)
            return None
        connection.execute("UPDATE access.sessions SET refresh = %s WHERE id = %s", [_digest(own, following), session])
    return _tokens(own, session, following)


def end(connection: Connection, session: str) -> None:
    """Its tokens are void from now on."""
    with connection.transaction():
        connection.execute(
            "UPDATE access.sessions SET revoked_at = coalesce(revoked_at, now()) WHERE id::text = %s", [session]
        )
        announce(connection)


def session_of(own: bytes, access_token: str, audience: str = API) -> str | None:
    """The session that a valid access token names; no database is needed. None for any other text."""
    try:
        token = jwt.decode(access_token, _key(own), algorithms=[_ALGORITHM])
        jwt.JWTClaimsRegistry(aud={"essential": True, "value": audience}, exp={"essential": True}).validate(
            token.claims
        )
    except (JoseError, ValueError):
        return None
    return str(token.claims.get("sid"))


def principal_of(connection: Connection, session: str) -> Principal | None:
    """Who has the session, with the role they have now; None where it has ended."""
    with connection.cursor(row_factory=class_row(User)) as cursor:
        user = cursor.execute(
            "SELECT users.id, name, role, issuer, users.created_at, created_by, disabled_at FROM access.sessions"
            " JOIN access.users ON users.id = user_id WHERE sessions.id::text = %s AND revoked_at IS NULL"
            " AND expires_at > now() AND disabled_at IS NULL",
            [session],
        ).fetchone()
    return user.principal(session) if user else None


def _tokens(own: bytes, session: str, refresh: str) -> Tokens:
    access = _token(own, session, API, ACCESS_LIFE)
    return Tokens(access, f"{session}.{refresh}", int(ACCESS_LIFE.total_seconds()))


def _token(own: bytes, session: str, audience: str, life: timedelta) -> str:
    now = int(time.time())
    claims = {
        "aud": audience,
        "sid": session,
        "iat": now,
        "exp": now + int(life.total_seconds()),
        "jti": secrets.token_hex(8),
    }
    return jwt.encode({"alg": _ALGORITHM}, claims, _key(own))


def _key(own: bytes) -> OctKey:
    return OctKey.import_key(derived(own, "access tokens"))


def _digest(own: bytes, refresh: str) -> bytes:
    return hmac.digest(derived(own, "refresh tokens"), refresh.encode(), hashlib.sha256)
