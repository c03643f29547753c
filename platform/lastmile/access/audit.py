"""The log of what was written: who, what, how many rows; never values. It is only ever added to."""

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import dict_row

_INSERT = "INSERT INTO access.audit (actor, action, subject, rows, request) VALUES (%s, %s, %s, %s, %s)"


class Entry(NamedTuple):
    """`action` is a verb (`upload records`), `subject` what it was done to (`hhinfo/2024`)."""

    actor: str
    action: str
    subject: str
    rows: int | None = None
    request: str | None = None


def record(connection: Connection, *entries: Entry) -> None:
    """In the transaction of what is written, so that neither is without the other."""
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT, entries)


def entries(
    connection: Connection,
    limit: int,
    before: int | None = None,
    actor: str | None = None,
    since: datetime | None = None,
) -> list[dict[str, Any]]:
    """The newest first, from below the id `before` on."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, at, actor, action, subject, rows, request FROM access.audit"
            " WHERE (%(before)s::bigint IS NULL OR id < %(before)s) AND (%(actor)s::text IS NULL OR actor = %(actor)s)"
            " AND (%(since)s::timestamptz IS NULL OR at >= %(since)s) ORDER BY id DESC LIMIT %(limit)s",
            {"before": before, "actor": actor, "since": since, "limit": limit},
        ).fetchall()


def forget(connection: Connection, before: datetime) -> int:
    """Remove entries that are older than the installation is to keep them, and record that.

    The table refuses to be changed. Its owner lifts that for this one transaction, in which nothing else can write to
    it; where it is busy for seconds, nothing is removed.
    """
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '3s'")
        connection.execute("ALTER TABLE access.audit DISABLE TRIGGER append_only")
        gone = connection.execute("DELETE FROM access.audit WHERE at < %s", [before]).rowcount
        connection.execute("ALTER TABLE access.audit ENABLE TRIGGER append_only")
        if gone:
            record(connection, Entry("lastmile", "clean up", f"audit before {before:%Y-%m-%d}", gone))
    return gone


def older(connection: Connection, before: datetime) -> int:
    """How many entries are."""
    ((rows,),) = connection.execute("SELECT count(*) FROM access.audit WHERE at < %s", [before]).fetchall()
    return int(rows)
