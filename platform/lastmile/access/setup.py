"""The first admin: made with a secret that is printed once, at the first start. There is no default password."""

import hashlib
import hmac
import secrets

from psycopg import Connection

from lastmile.access import users
from lastmile.access.secret import derived
from lastmile.access.users import User
from lastmile.errors import UserError


def first_secret(connection: Connection, own: bytes) -> str | None:
    """The secret, the first time this is called on a database; None ever after."""
    made = secrets.token_urlsafe(18)
    first = connection.execute(
        "INSERT INTO access.setup (digest) SELECT %s WHERE NOT EXISTS (SELECT FROM access.users)"
        " ON CONFLICT DO NOTHING",
        [_digest(own, made)],
    ).rowcount
    return made if first else None


def first_admin(connection: Connection, own: bytes, given: str, name: str, password: str) -> User:
    """Raises UserError where the secret is wrong or used up, or no user can have the name or the password."""
    with connection.transaction():
        row = connection.execute("SELECT digest FROM access.setup WHERE used_at IS NULL FOR UPDATE").fetchone()
        if row is None or not hmac.compare_digest(row[0], _digest(own, given)):
            raise UserError(
                "that is not the secret printed at the first start, or it was used; an operator adds an admin with"
                " `lastmile users add NAME --role admin`"
            )
        connection.execute("UPDATE access.setup SET used_at = now()")
        return users.add(connection, name, "admin", password, "setup")


def _digest(own: bytes, given: str) -> bytes:
    return hmac.digest(derived(own, "setup"), given.encode(), hashlib.sha256)
