"""Submissions whose drops' store was restored elsewhere, or under new names of versions."""

from collections.abc import Sequence

from psycopg import Connection


def relocate(connection: Connection, store: str, to: str, versions: Sequence[tuple[str, str, str]]) -> None:
    """As the ledger's `relocate`, for the objects that submissions are in."""
    keys, old, new = ([one[part] for one in versions] for part in (0, 1, 2))
    with connection.transaction():
        for table in ("jobs", "objects"):
            connection.execute(
                f"""
                UPDATE submissions.{table} AS t SET version = moved.new
                FROM unnest(%s::text[], %s::text[], %s::text[]) AS moved (key, old, new)
                WHERE t.store = %s AND t.key = moved.key AND t.version = moved.old AND moved.old <> moved.new
                """,
                [keys, old, new, store],
            )
            connection.execute(f"UPDATE submissions.{table} SET store = %s WHERE store = %s", [to, store])
