"""What sources put into the landing area, one row for each object, written before the object is.

A row without `landed_at` is an intent: whether its object came to be is found out by the next run of the source, which
then either marks it or removes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

_AT_ONCE = 100
_COLUMNS = """
    id, source, dataset, partition, key, sha256, size, records, cursor_from, cursor_to,
    digests IS NOT NULL AS is_incremental, begun_at, landed_at
"""


@dataclass(frozen=True)
class Fetch:
    """An object of a source: where it is, what it is, and from which cursor to which it goes."""

    id: int
    source: str
    dataset: str
    partition: str
    key: str
    sha256: str
    size: int
    records: int
    cursor_from: str | None
    cursor_to: str | None
    is_incremental: bool
    begun_at: datetime
    landed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Intent:
    """An object that is about to be put. `digests` are those of its records, eight bytes each."""

    source: str
    dataset: str
    partition: str
    key: str
    sha256: str
    size: int
    records: int
    cursor_from: str | None = None
    cursor_to: str | None = None
    digests: bytes | None = None
    run_id: str | None = None


def intend(connection: Connection, store: str, intent: Intent) -> int:
    """The number of the fetch, which is committed."""
    row = connection.execute(
        """
        INSERT INTO sources.fetches
            (source, store, dataset, partition, key, sha256, size, records, cursor_from, cursor_to, digests, run_id)
        VALUES (%(source)s, %(store)s, %(dataset)s, %(partition)s, %(key)s, %(sha256)s, %(size)s, %(records)s,
                %(cursor_from)s, %(cursor_to)s, %(digests)s, %(run_id)s)
        RETURNING id
        """,
        {**vars(intent), "store": store},
    ).fetchone()
    return int(row[0]) if row else 0


def landed(connection: Connection, fetch: int) -> None:
    """Its object is there."""
    connection.execute("UPDATE sources.fetches SET landed_at = clock_timestamp() WHERE id = %s", [fetch])


def forget(connection: Connection, fetch: int) -> None:
    """Its object never came to be."""
    connection.execute("DELETE FROM sources.fetches WHERE id = %s AND landed_at IS NULL", [fetch])


def unresolved(connection: Connection, store: str, source: str) -> list[Fetch]:
    """Intents of runs that were killed."""
    return _fetches(connection, store, source, "landed_at IS NULL", "id")


def newest_first(connection: Connection, store: str, source: str) -> Iterator[list[Fetch]]:
    """All that landed, some at a time: mostly the first is the one that is looked for."""
    before = 2**62
    while some := _fetches(
        connection, store, source, f"landed_at IS NOT NULL AND id < {before}", f"id DESC LIMIT {_AT_ONCE}"
    ):
        yield some
        before = some[-1].id


def used_keys(connection: Connection, store: str, source: str, start: str) -> set[str]:
    """Those of its fetches that begin so."""
    found = connection.execute(
        "SELECT DISTINCT key FROM sources.fetches WHERE source = %s AND store = %s AND starts_with(key, %s)",
        [source, store, start],
    ).fetchall()
    return {key for (key,) in found}


def digests(connection: Connection, fetch: int) -> bytes:
    """Those of the records that it landed."""
    row = connection.execute("SELECT digests FROM sources.fetches WHERE id = %s", [fetch]).fetchone()
    return bytes(row[0]) if row and row[0] else b""


def relocate(connection: Connection, store: str, to: str) -> None:
    """As the ledger's `relocate`: a source whose store was restored elsewhere goes on there where it was."""
    connection.execute("UPDATE sources.fetches SET store = %s WHERE store = %s", [to, store])


def _fetches(connection: Connection, store: str, source: str, where: str, order: str) -> list[Fetch]:
    with connection.cursor(row_factory=class_row(Fetch)) as cursor:
        query = f"SELECT {_COLUMNS} FROM sources.fetches WHERE source = %s AND store = %s AND {where} ORDER BY {order}"
        return cursor.execute(query.encode(), [source, store]).fetchall()
