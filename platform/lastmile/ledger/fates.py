"""What became of objects that another room put into the landing area, known by their bytes."""

from collections.abc import Sequence
from typing import Literal

from psycopg import Connection

#: `waiting` also stands for what the ledger has not seen; `held` is what was quarantined whole, or failed.
Fate = Literal["loaded", "discarded", "held", "waiting"]


def fates(connection: Connection, store: str, dataset: str, objects: Sequence[tuple[str, str]]) -> list[Fate]:
    """Of each key and SHA-256 whether its rows are in force, were discarded by decision, are held back, or will come.

    Rows are in force where the same bytes are loaded under another key: a drop like another one is not loaded twice. A
    drop that was refused before it was hashed has no SHA-256, and is known by its key.
    """
    keys, hashes = ([one[part] for one in objects] for part in (0, 1))
    found = connection.execute(
        """
        WITH alike AS MATERIALIZED (
            SELECT sha256 FROM ledger.drops
            WHERE sha256 = ANY(%(hashes)s) AND store = %(store)s AND dataset = %(dataset)s AND state = 'loaded'
        )
        SELECT CASE
            WHEN EXISTS (SELECT FROM alike WHERE alike.sha256 = wanted.sha256) THEN 'loaded'
            WHEN EXISTS (
                SELECT FROM ledger.drops d
                WHERE d.store = %(store)s AND d.key = wanted.key AND discarded_at IS NOT NULL
                  AND coalesce(d.sha256, wanted.sha256) = wanted.sha256
            ) THEN 'discarded'
            WHEN EXISTS (
                SELECT FROM ledger.drops d
                WHERE d.store = %(store)s AND d.key = wanted.key AND state IN ('quarantined', 'failed')
                  AND coalesce(d.sha256, wanted.sha256) = wanted.sha256
            ) THEN 'held'
            ELSE 'waiting'
        END
        FROM unnest(%(keys)s::text[], %(hashes)s::text[]) WITH ORDINALITY AS wanted (key, sha256, place) ORDER BY place
        """,
        {"keys": keys, "hashes": hashes, "store": store, "dataset": dataset},
    ).fetchall()
    return [fate for (fate,) in found]
