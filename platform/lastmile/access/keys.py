"""API keys of programs and devices: shown once when made, kept as an HMAC, each with a role and perhaps an end.

A key is `lm_<prefix>_<secret>`: the prefix finds its row and may be shown, the secret proves it.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.access import audit
from lastmile.access.changes import announce
from lastmile.access.principal import Principal
from lastmile.access.roles import ALLOWED, PERMISSIONS, ROLES, Permission, Role
from lastmile.access.secret import derived
from lastmile.errors import UserError

MARK = "lm_"
_SHAPE = re.compile(r"lm_([a-z2-7]{10})_([A-Za-z0-9_-]{32})")
_COLUMNS = "id, prefix, name, role, scopes, datasets, created_at, created_by, expires_at, last_used_at, revoked_at"


@dataclass(frozen=True)
class Key:
    """A row of access.keys, without what proves it."""

    id: int
    prefix: str
    name: str
    role: Role
    scopes: list[Permission] | None
    datasets: list[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @property
    def is_valid(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > datetime.now(UTC))

    def principal(self) -> Principal:
        own = ALLOWED[self.role]
        allowed = own if self.scopes is None else own & frozenset(self.scopes)
        datasets = None if self.datasets is None else frozenset(self.datasets)
        return Principal(f"key:{self.prefix} ({self.name})", self.role, allowed, datasets)


def create(
    connection: Connection,
    own: bytes,
    name: str,
    role: Role,
    by: str,
    *,
    scopes: Collection[Permission] | None = None,
    datasets: Collection[str] | None = None,
    expires_at: datetime | None = None,
) -> tuple[str, Key]:
    """The key, which cannot be shown again, and its row. Raises UserError for what no key can be."""
    _check(name, role, scopes, datasets)
    # Base32 without digits that look like letters: a prefix is read out over the phone.
    prefix = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(10))
    proof = secrets.token_urlsafe(24)
    with connection.transaction(), connection.cursor(row_factory=class_row(Key)) as cursor:
        made = cursor.execute(
            "INSERT INTO access.keys (prefix, digest, name, role, scopes, datasets, created_by, expires_at)"
            f" VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
            [prefix, _digest(own, proof), name, role, _listed(scopes), _listed(datasets), by, expires_at],
        ).fetchall()[0]
        audit.record(connection, audit.Entry(by, "create key", f"{prefix} ({name}), {role}"))
    return f"{MARK}{prefix}_{proof}", made


def find(connection: Connection, own: bytes, key: str) -> Key | None:
    """The row of a key that is valid now, and a note that it was used; None for any other text."""
    if not (parts := _SHAPE.fullmatch(key)):
        return None
    with connection.cursor(row_factory=class_row(Key)) as cursor:
        found = cursor.execute(
            f"SELECT {_COLUMNS} FROM access.keys WHERE prefix = %s AND digest = %s", [parts[1], _digest(own, parts[2])]
        ).fetchone()
    return found if found and found.is_valid else None


def note_use(connection: Connection, prefixes: Collection[str]) -> None:
    """That these were used just now."""
    connection.execute("UPDATE access.keys SET last_used_at = now() WHERE prefix = ANY(%s)", [list(prefixes)])


def keys(connection: Connection) -> list[Key]:
    """All there are and were, the newest first."""
    with connection.cursor(row_factory=class_row(Key)) as cursor:
        return cursor.execute(f"SELECT {_COLUMNS} FROM access.keys ORDER BY id DESC").fetchall()


def revoke(connection: Connection, prefix: str, by: str) -> None:
    """It is void from now on. Raises UserError where there is no such key, or it is revoked already."""
    with connection.transaction():
        changed = connection.execute(
            "UPDATE access.keys SET revoked_at = now() WHERE prefix = %s AND revoked_at IS NULL", [prefix]
        ).rowcount
        if not changed:
            raise UserError(f"no key {prefix!r} is valid; `lastmile keys list` shows the prefixes of those there are")
        audit.record(connection, audit.Entry(by, "revoke key", prefix))
        announce(connection)


def _check(name: str, role: Role, scopes: Collection[Permission] | None, datasets: Collection[str] | None) -> None:
    if role not in ROLES:
        raise UserError(f"expected one of the roles {', '.join(ROLES)}; found {role!r}")
    if not name.strip() or not name.isprintable() or len(name) > 100:
        raise UserError("expected a name of 1 to 100 visible characters, such as 'tablet 7'")
    if strange := sorted(set(scopes or ()) - ALLOWED[role]):
        known = ", ".join(one for one in PERMISSIONS if one in ALLOWED[role])
        raise UserError(f"a key of role {role} cannot have the scopes {', '.join(strange)}; its role allows: {known}")
    if role == "device" and not datasets:
        raise UserError("a device uploads to named datasets: name at least one with --dataset")


def _listed(found: Collection[str] | None) -> Sequence[str] | None:
    return None if found is None else sorted(found)


def _digest(own: bytes, proof: str) -> bytes:
    return hmac.digest(derived(own, "api keys"), proof.encode(), hashlib.sha256)
