"""Drops whose store was restored, perhaps elsewhere: stores name the versions of the same bytes differently each time
they are written, so what was loaded from a version must be known by its new name, or it would be ingested once more."""

from collections.abc import Sequence

from psycopg import Connection


def relocate(connection: Connection, store: str, to: str, versions: Sequence[tuple[str, str, str]]) -> int:
    """Let the drops of a store be those of another; key, version and the version it has there of each object put there.

    How many drops that were. What the new store has not keeps its version.
    """
    keys, old, new = ([one[part] for one in versions] for part in (0, 1, 2))
    with connection.transaction():
        connection.execute(
            """
            UPDATE ledger.drops SET version = moved.new
            FROM unnest(%s::text[], %s::text[], %s::text[]) AS moved (key, old, new)
            WHERE store = %s AND drops.key = moved.key AND drops.version = moved.old AND moved.old <> moved.new
            """,
            [keys, old, new, store],
        )
        moved = connection.execute("UPDATE ledger.drops SET store = %s WHERE store = %s", [to, store])
        connection.execute("DELETE FROM ledger.unlisted WHERE store = %s", [store])
    return moved.rowcount


def unregistered(connection: Connection, store: str, versions: Sequence[tuple[str, str]]) -> set[int]:
    """Positions of those keys and versions that the ledger does not have: they are discovered by the next listing."""
    keys, named = ([pair[part] for pair in versions] for part in (0, 1))
    found = connection.execute(
        """
        SELECT place - 1 FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS listed (key, version, place)
        WHERE NOT EXISTS (
            SELECT FROM ledger.drops d WHERE d.store = %s AND d.key = listed.key AND d.version = listed.version)
        """,
        [keys, named, store],
    )
    return {place for (place,) in found.fetchall()}


def cleaned_keys(connection: Connection, store: str) -> list[str]:
    """The cleaned files of the drops that are loaded."""
    found = connection.execute(
        "SELECT cleaned_key FROM ledger.drops WHERE store = %s AND state = 'loaded' AND cleaned_key IS NOT NULL",
        [store],
    )
    return [key for (key,) in found.fetchall()]
