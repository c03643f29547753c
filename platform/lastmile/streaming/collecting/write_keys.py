"""Write keys of streams: public, since they stand in pages; each lets its holder add events to one stream."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.access import audit
from lastmile.errors import UserError
from lastmile.streaming.collecting.beacons import Added

MARK = "wk_"
_COLUMNS = "key, stream, topic, origins, adds, created_at, created_by, revoked_at"


@dataclass(frozen=True)
class WriteKey:
    """`origins` are the sites whose pages may send with it, none: all. `adds` are filled in by the collector."""

    key: str
    stream: str
    topic: str
    origins: list[str]
    adds: list[Added]
    created_at: datetime
    created_by: str
    revoked_at: datetime | None

    def lets_in(self, origin: str | None) -> bool:
        """A program that is no browser says no origin."""
        return origin is None or not self.origins or origin in self.origins


def create(
    connection: Connection, stream: str, topic: str, by: str, origins: Collection[str] = (), adds: Collection[str] = ()
) -> WriteKey:
    """Raises UserError for what no page or collector has."""
    if strange := [one for one in origins if not _is_origin(one)]:
        raise UserError(f"expected origins such as https://shop.example.org; found {', '.join(strange)}")
    if unknown := sorted(set(adds) - set(get_args(Added))):
        raise UserError(f"the collector adds {', '.join(get_args(Added))}; not {', '.join(unknown)}")
    with connection.transaction(), connection.cursor(row_factory=class_row(WriteKey)) as cursor:
        (made,) = cursor.execute(
            "INSERT INTO streams.write_keys (key, stream, topic, origins, adds, created_by)"
            f" VALUES (%s, %s, %s, %s, %s, %s) RETURNING {_COLUMNS}",
            [MARK + secrets.token_urlsafe(18), stream, topic, sorted(set(origins)), sorted(set(adds)), by],
        ).fetchall()
        audit.record(connection, audit.Entry(by, "create write key", f"{made.key}, {stream}"))
    return made


def find(connection: Connection, key: str) -> WriteKey | None:
    """None where there is none, or it was revoked."""
    with connection.cursor(row_factory=class_row(WriteKey)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM streams.write_keys WHERE key = %s AND revoked_at IS NULL", [key]
        ).fetchone()


def write_keys(connection: Connection, stream: str | None = None) -> list[WriteKey]:
    """All there are and were, the newest first."""
    with connection.cursor(row_factory=class_row(WriteKey)) as cursor:
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM streams.write_keys WHERE %(stream)s::text IS NULL OR stream = %(stream)s"
            " ORDER BY created_at DESC",
            {"stream": stream},
        ).fetchall()


def revoke(connection: Connection, key: str, by: str) -> None:
    """Raises UserError where there is no such key, or it is revoked already."""
    with connection.transaction():
        changed = connection.execute(
            "UPDATE streams.write_keys SET revoked_at = clock_timestamp() WHERE key = %s AND revoked_at IS NULL", [key]
        ).rowcount
        if not changed:
            raise UserError(f"no write key {key!r} is valid; `lastmile stream key list` shows those there are")
        audit.record(connection, audit.Entry(by, "revoke write key", key))


def _is_origin(text: str) -> bool:
    scheme, separator, host = text.partition("://")
    return bool(scheme in ("http", "https") and separator and host and not set(host) & set("/?# "))
