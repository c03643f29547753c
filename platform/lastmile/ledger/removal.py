"""Which objects the ledger lets go from the landing area, and the record that they go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from psycopg import Connection
from psycopg.rows import class_row

#: What the ledger says of an object as listed. Its drop is the newest of the key.
_REMOVAL = """
    SELECT listed.n, CASE
        WHEN newest.id IS NULL OR newest.version <> listed.version THEN 'not yet in the ledger'
        WHEN EXISTS (
            SELECT FROM ledger.drops d WHERE d.store = %(store)s AND d.key = listed.key AND (
                d.state IN ('discovered', 'claimed') OR d.claim_expires_at > now() OR d.retake IS NOT NULL)
        ) THEN 'waiting, or being ingested'
        WHEN loaded.id IS NULL THEN 'not loaded'
        WHEN loaded.settled_at > now() - %(age)s THEN 'loaded only recently'
        WHEN EXISTS (
            SELECT FROM ledger.drops d WHERE d.store = %(store)s AND d.key = listed.key
            AND d.state = 'quarantined' AND d.discarded_at IS NULL
        ) THEN %(undecided)s
    END AS kept, loaded.id AS loaded, ARRAY(
        SELECT version FROM ledger.drops d WHERE d.store = %(store)s AND d.key = listed.key AND d.id < newest.id
    ) AS older, ARRAY(
        SELECT id FROM ledger.drops d WHERE d.store = %(store)s AND d.key = listed.key
        AND (%(keeps_versions)s OR d.id IN (newest.id, loaded.id))
    ) AS drops
    FROM unnest(%(keys)s::text[], %(versions)s::text[]) WITH ORDINALITY AS listed (key, version, n)
    LEFT JOIN LATERAL (
        SELECT * FROM ledger.drops d WHERE d.store = %(store)s AND d.key = listed.key ORDER BY id DESC LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT * FROM ledger.drops d WHERE d.store = %(store)s AND d.key = listed.key AND d.state = 'loaded'
        AND (d.id = newest.id OR (newest.state = 'duplicate' AND d.sha256 = newest.sha256)) LIMIT 1
    ) AS loaded ON true
    ORDER BY n
"""
#: Why an object is kept while something of it is undecided.
UNDECIDED = "with quarantined rows that are neither released nor discarded"


@dataclass(frozen=True)
class Removal:
    """What the ledger says of the object at position `n` (from 1) of a listing: `kept` says why it stays, if it must.

    `loaded` is the drop whose rows are in the warehouse, `older` are the versions before it, `drops` those whose bytes
    go with it.
    """

    n: int
    kept: str | None
    loaded: int | None
    older: Sequence[str]
    drops: Sequence[int]


def removals(
    connection: Connection,
    store: str,
    listed: Sequence[tuple[str, str]],
    age: timedelta,
    keeps_versions: bool,
) -> list[Removal]:
    """What is to become of these keys and versions, where only what was loaded `age` ago or earlier may go."""
    with connection.cursor(row_factory=class_row(Removal)) as cursor:
        return cursor.execute(
            _REMOVAL,
            {
                "store": store, "age": age, "keeps_versions": keeps_versions, "undecided": UNDECIDED,
                "keys": [key for key, _ in listed], "versions": [version for _, version in listed],
            },
        ).fetchall()  # fmt: skip


def lock_keys(connection: Connection, store: str, keys: Sequence[str]) -> None:
    """Keep workers from drops of these keys that none holds yet, until the transaction ends."""
    connection.execute(
        "SELECT FROM ledger.drops WHERE store = %s AND key = ANY(%s) FOR UPDATE SKIP LOCKED", [store, list(keys)]
    )


def record_removal(connection: Connection, drop_ids: Sequence[int], kept: str | None = None) -> None:
    """Record that the objects of these drops go, or with `kept` that they stay after all."""
    moment = "NULL" if kept else "clock_timestamp()"
    connection.execute(
        f"""
        WITH written AS (
            UPDATE ledger.drops SET removed_at = {moment}
            WHERE id = ANY(%s) AND (removed_at IS NULL) <> %s RETURNING id, state
        )
        INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, %s FROM written
        """,
        [list(drop_ids), bool(kept), kept or "clean-up removes its object from the landing area; its rows stay"],
    )


def orphaned(connection: Connection, store: str, dataset: str, cleaned: Sequence[tuple[str, int | None]]) -> set[str]:
    """Of cleaned files, each with the drop its name says it is of, the keys of those that no loaded drop names.

    Files of drops that the ledger does not know, or that a worker holds, are not among them.
    """
    found = connection.execute(
        """
        SELECT file.key FROM unnest(%s::text[], %s::bigint[]) AS file (key, drop_id)
        JOIN ledger.drops d ON d.id = drop_id AND d.store = %s AND d.dataset = %s
        WHERE NOT (d.state = 'loaded' AND d.cleaned_key = file.key) AND coalesce(d.claim_expires_at < now(), true)
        """,
        [[key for key, _ in cleaned], [drop_id for _, drop_id in cleaned], store, dataset],
    ).fetchall()
    return {key for (key,) in found}
