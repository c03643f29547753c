"""What the ledger knows of objects that are not in the landing area, or are there and cannot be listed.

That an object was deleted is found by counting first: only where the ledger has more keys than were listed are they
compared, so that a listing of what is known costs no more.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_PRESENT = """store = %(store)s AND gone_at IS NULL AND removed_at IS NULL
    AND state IN ('discovered', 'claimed', 'loaded', 'quarantined', 'duplicate', 'failed')"""
_LISTABLE = "NOT EXISTS (SELECT FROM unnest(%(unlisted)s::text[]) folder WHERE starts_with(key, folder))"
_UNFIT = "state = 'failed' AND settled_at IS NULL"
GONE = "its object is gone from the landing area, though no clean-up removed it; its rows stay"
BACK = "its object is in the landing area again"


def present_among(connection: Connection, store: str, keys: Sequence[str]) -> int:
    """How many of these keys have a drop whose object is in the landing area, as far as is known."""
    return _count(connection, f"{_PRESENT} AND key = ANY(%(keys)s)", {"store": store, "keys": list(keys)})


def present(connection: Connection, store: str, unlisted: Collection[str]) -> int:
    """How many keys have such a drop, apart from those below what could not be listed."""
    return _count(connection, f"{_PRESENT} AND {_LISTABLE}", {"store": store, "unlisted": list(unlisted)})


def present_keys(connection: Connection, store: str, unlisted: Collection[str]) -> set[str]:
    """The same, by name; those that wait or are being ingested are left to their workers."""
    found = connection.execute(
        f"SELECT DISTINCT key FROM ledger.drops WHERE {_PRESENT} AND {_LISTABLE}"
        " AND state NOT IN ('discovered', 'claimed')",
        {"store": store, "unlisted": list(unlisted)},
    )
    return {key for (key,) in found.fetchall()}


def record_gone(connection: Connection, store: str, keys: Sequence[str], why: str = GONE) -> int:
    """Record that the objects of these keys are gone; returns of how many drops.

    A drop that fitted no contract ends with its object: nothing is left to decide.
    """
    cursor = connection.execute(
        f"""
        WITH gone AS (
            UPDATE ledger.drops SET gone_at = clock_timestamp(),
                discarded_at = CASE WHEN {_UNFIT} THEN clock_timestamp() ELSE discarded_at END,
                discarded_why = CASE WHEN {_UNFIT} THEN %(why)s ELSE discarded_why END
            WHERE {_PRESENT} AND key = ANY(%(keys)s) AND state NOT IN ('discovered', 'claimed')
            RETURNING id, state
        )
        INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, %(why)s FROM gone
        """,
        {"store": store, "keys": list(keys), "why": why},
    )
    return cursor.rowcount


def record_back(connection: Connection, store: str, versions: Sequence[tuple[str, str]]) -> int:
    """Record of these keys and versions that were gone that they are there again; returns of how many drops."""
    cursor = connection.execute(
        f"""
        WITH back AS (
            UPDATE ledger.drops SET gone_at = NULL,
                discarded_at = CASE WHEN {_UNFIT} THEN NULL ELSE discarded_at END,
                discarded_why = CASE WHEN {_UNFIT} THEN NULL ELSE discarded_why END
            FROM unnest(%s::text[], %s::text[]) AS listed (key, version)
            WHERE store = %s AND drops.key = listed.key AND drops.version = listed.version AND gone_at IS NOT NULL
            RETURNING id, state
        )
        INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, %s FROM back
        """,
        [[key for key, _ in versions], [version for _, version in versions], store, BACK],
    )
    return cursor.rowcount


def gone(connection: Connection, store: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Drops with rows whose object is gone, the latest first: id, dataset, partition, key, state, gone_at."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT id, dataset, partition, key, state, gone_at FROM ledger.drops"
            " WHERE store = %s AND gone_at IS NOT NULL AND discarded_at IS NULL ORDER BY gone_at DESC, id LIMIT %s",
            [store, limit],
        ).fetchall()


def record_unlisted(connection: Connection, store: str, below: str, found: Mapping[str, str]) -> None:
    """Replace what is known not to be listable below a prefix; what stays so keeps its time."""
    known = {key: why for key, why, _ in unlisted(connection, store) if key.startswith(below)}
    if known == found:
        return
    with connection.transaction():
        connection.execute(
            "DELETE FROM ledger.unlisted WHERE store = %s AND key = ANY(%s)",
            [store, [key for key in known if known[key] != found.get(key)]],
        )
        connection.execute(
            "INSERT INTO ledger.unlisted (store, key, why) SELECT %s, * FROM unnest(%s::text[], %s::text[])"
            " ON CONFLICT DO NOTHING",
            [store, list(found), list(found.values())],
        )


def unlisted(connection: Connection, store: str) -> list[tuple[str, str, datetime]]:
    """Key, reason and since when, of everything in the landing area that cannot be listed."""
    return connection.execute(
        "SELECT key, why, since FROM ledger.unlisted WHERE store = %s ORDER BY key", [store]
    ).fetchall()


def _count(connection: Connection, where: str, values: Mapping[str, object]) -> int:
    ((count,),) = connection.execute(f"SELECT count(DISTINCT key) FROM ledger.drops WHERE {where}", values).fetchall()
    return int(count)
