"""Other drops that bear upon a drop: other versions of its key, and others with its bytes.

Those with its bytes are looked up by their hash alone and first: of a ledger without statistics the planner would read
all drops of the partition for each that it looks up.
"""

from collections.abc import Sequence

from psycopg import Connection

from lastmile.ledger.drops import Drop
from lastmile.ledger.events import record_event
from lastmile.warehouse.locks import Lock, lock

_SAME_KEY = "key = %(key)s AND id <> %(id)s AND store = (SELECT store FROM ledger.drops WHERE id = %(id)s)"


def lock_key(connection: Connection, drop: Drop, sha256: str) -> bool:
    """Keep other versions of the drop's key waiting until the transaction ends; False if newer bytes are in force."""
    lock(connection, Lock.OBJECT, [drop.key])
    newer = connection.execute(
        f"""
        SELECT FROM ledger.drops
        WHERE {_SAME_KEY} AND id > %(id)s AND state IN ('loaded', 'duplicate') AND sha256 <> %(sha256)s
        """,
        {"id": drop.id, "key": drop.key, "sha256": sha256},
    )
    return newer.rowcount == 0


def lock_unlike_others(connection: Connection, drop: Drop) -> bool:
    """Keep other versions of the drop's key waiting until the transaction ends; whether, although its hash is not known
    yet, no drop bears upon it: none has its key, and none its size in its partition."""
    lock(connection, Lock.OBJECT, [drop.key])
    others = connection.execute(
        """
        SELECT FROM ledger.drops one JOIN ledger.drops other USING (store, dataset, partition)
        WHERE one.id = %(id)s AND other.id <> one.id AND other.size = one.size
        UNION ALL
        SELECT FROM ledger.drops one JOIN ledger.drops other USING (store, key)
        WHERE one.id = %(id)s AND other.id <> one.id LIMIT 1
        """,
        {"id": drop.id},
    )
    return others.rowcount == 0


def supersede(connection: Connection, drop: Drop, run_id: str) -> list[tuple[int, str | None]]:
    """Mark older versions of the drop's key as replaced by it; returns their ids and their cleaned files' keys.

    Drops of the partition that were skipped for having the bytes of a replaced one are pending again.
    """
    replaced = connection.execute(
        f"""
        UPDATE ledger.drops SET state = 'superseded', superseded_by = %(id)s, settled_at = clock_timestamp()
        WHERE {_SAME_KEY} AND id < %(id)s AND state IN ('discovered', 'loaded', 'quarantined', 'duplicate', 'failed')
        RETURNING id, cleaned_key
        """,
        {"id": drop.id, "key": drop.key},
    ).fetchall()
    for old_id, _ in replaced:
        record_event(
            connection, old_id, "superseded", run_id, f"replaced by drop {drop.id}, a newer version of {drop.key}"
        )
    if replaced:
        _reopen_copies(connection, drop, run_id, [old_id for old_id, _ in replaced])
    return replaced


def _reopen_copies(connection: Connection, drop: Drop, run_id: str, replaced: Sequence[int]) -> None:
    copies = connection.execute(
        """
        UPDATE ledger.drops SET state = 'discovered', not_before = clock_timestamp(), settled_at = NULL
        WHERE sha256 IN (SELECT sha256 FROM ledger.drops WHERE id = ANY(%(replaced)s)) AND state = 'duplicate'
          AND dataset = %(dataset)s AND partition = %(partition)s AND key <> %(key)s
          AND store = (SELECT store FROM ledger.drops WHERE id = %(id)s)
        RETURNING id
        """,
        {
            "replaced": list(replaced), "dataset": drop.dataset, "partition": drop.partition,
            "key": drop.key, "id": drop.id,
        },
    ).fetchall()  # fmt: skip
    for (copy,) in copies:
        record_event(connection, copy, "discovered", run_id, "what it was a copy of has been replaced")


def same_content(connection: Connection, drop: Drop, sha256: str) -> int | None:
    """The drop whose rows are in force under the same key with the same bytes, if there is one."""
    found = connection.execute(
        f"SELECT id FROM ledger.drops WHERE {_SAME_KEY} AND state IN ('loaded', 'quarantined') AND sha256 = %(sha256)s",
        {"id": drop.id, "key": drop.key, "sha256": sha256},
    ).fetchone()
    return found[0] if found else None


def same_content_elsewhere(connection: Connection, drop: Drop, sha256: str) -> int | None:
    """The drop of the partition whose rows are in force with the same bytes under another key, if there is one.

    Drops with the same bytes wait for each other until the transaction ends, so two cannot both be the first.
    """
    lock(connection, Lock.CONTENT, [f"{drop.dataset}/{sha256}"])
    found = connection.execute(
        """
        WITH alike AS MATERIALIZED (SELECT * FROM ledger.drops WHERE sha256 = %s)
        SELECT min(id) FROM alike
        WHERE dataset = %s AND partition = %s AND key <> %s AND state = 'loaded'
          AND store = (SELECT store FROM ledger.drops WHERE id = %s)
        """,
        [sha256, drop.dataset, drop.partition, drop.key, drop.id],
    ).fetchone()
    return found[0] if found else None


def not_batchable(connection: Connection, drops: Sequence[Drop], sha256s: Sequence[str]) -> set[int]:
    """Those of these held drops that something else in the ledger bears upon: a drop of their key, or of their bytes.

    For the others nothing can come to bear on them until the transaction ends. The locks are those of `lock_key` and
    `same_content_elsewhere`, all of the first kind before all of the second, each in order: so there is no deadlock.
    """
    lock(connection, Lock.OBJECT, [drop.key for drop in drops])
    lock(connection, Lock.CONTENT, [f"{drop.dataset}/{sha256}" for drop, sha256 in zip(drops, sha256s, strict=True)])
    found = connection.execute(
        """
        WITH mine AS (
            SELECT drops.id, store, dataset, partition, key, mine.sha256
            FROM unnest(%(ids)s::bigint[], %(sha256s)s::text[]) AS mine (id, sha256) JOIN ledger.drops USING (id)
        ), alike AS MATERIALIZED (
            SELECT id, store, dataset, partition, sha256 FROM ledger.drops WHERE sha256 = ANY(%(sha256s)s)
        )
        SELECT id FROM mine WHERE EXISTS (
            SELECT FROM ledger.drops other
            WHERE other.store = mine.store AND other.key = mine.key AND other.id <> mine.id
        ) OR EXISTS (
            SELECT FROM alike other WHERE other.sha256 = mine.sha256 AND other.store = mine.store
              AND other.dataset = mine.dataset AND other.partition = mine.partition AND other.id <> mine.id
        ) OR EXISTS (
            SELECT FROM mine other WHERE other.sha256 = mine.sha256 AND other.partition = mine.partition
              AND other.id < mine.id
        )
        """,
        {"ids": [drop.id for drop in drops], "sha256s": list(sha256s)},
    )
    return {drop_id for (drop_id,) in found.fetchall()}


def is_alone(connection: Connection, drop_id: int, in_dataset: bool = False) -> bool:
    """Whether no other drop of the drop's dataset and partition, or of its whole dataset, is loaded."""
    others = connection.execute(
        "SELECT FROM ledger.drops one JOIN ledger.drops other USING (dataset)"
        " WHERE one.id = %s AND other.id <> one.id AND other.state = 'loaded'"
        " AND (other.partition = one.partition OR %s) LIMIT 1",
        [drop_id, in_dataset],
    )
    return others.rowcount == 0
