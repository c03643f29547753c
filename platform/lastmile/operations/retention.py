"""Clean-up: objects whose rows are safely in the warehouse leave the landing area, and files that nobody names go.

The ledger decides, and outlives what it describes. An object goes only while the version in the store is the key's
newest in the ledger, that version (or the one it is a duplicate of) is loaded, no row of it waits for a decision (to
release one, the object is read again), and nothing of the key waits or is being taken. That it goes is written down
first: killed in between, the next clean-up finds the object listed still, and removes it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from psycopg import Connection
from psycopg.rows import class_row

from lastmile import ledger
from lastmile.errors import UserError
from lastmile.store import Changed, Missing, Store, StoredObject
from lastmile.store.landing import LANDING
from lastmile.store.removal import remove, restore_interrupted

_PAGE = 500
_CLEANED = "cleaned/"
#: A file is published just before its drop's commit. Older ones that no drop names were left by an attempt that died.
_ORPHANED_AFTER = ledger.LEASE * 2

#: What becomes of an object as listed: why it is kept, or null where it may go. Its drop is the newest of the key.
_JUDGED = """
    SELECT listed.n, CASE
        WHEN newest.id IS NULL OR newest.version <> listed.version THEN 'not yet in the ledger'
        WHEN EXISTS (
            SELECT FROM ledger.drops d WHERE d.store = %(store)s AND d.key = listed.key AND (
                d.state IN ('discovered', 'claimed') OR d.claim_expires_at > now() OR d.retake IS NOT NULL)
        ) THEN 'waiting, or being taken'
        WHEN loaded.id IS NULL THEN 'not loaded'
        WHEN loaded.settled_at > now() - %(age)s THEN 'loaded only lately'
        WHEN EXISTS (
            SELECT FROM ledger.drops d WHERE d.store = %(store)s AND d.key = listed.key
            AND d.state = 'quarantined' AND d.discarded_at IS NULL
        ) OR EXISTS (
            SELECT FROM quarantine.rows r WHERE r.drop_id = loaded.id AND r.kind = 'bad' AND NOT EXISTS (
                SELECT FROM quarantine.discarded x WHERE x.drop_id = r.drop_id AND x.line = r.line)
        ) THEN 'with rows set aside that nobody released or discarded'
    END AS kept, ARRAY(
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


@dataclass(frozen=True)
class Judged:
    """What becomes of the object at position `n` (from 1) of a listing: `kept` says why it stays, None that it goes.

    `older` are the versions before it, `drops` those whose bytes go with it.
    """

    n: int
    kept: str | None
    older: Sequence[str]
    drops: Sequence[int]


@dataclass
class Tally:
    """What a clean-up would do, or did: objects and bytes that go, and how many stay for which reason."""

    objects: int = 0
    bytes: int = 0
    kept: Counter[str] = field(default_factory=Counter)

    def add(self, listed: StoredObject, kept: str | None) -> None:
        if kept:
            self.kept[kept] += 1
        else:
            self.objects += 1
            self.bytes += listed.size


Progress = Callable[[StoredObject], None]


def survey(connection: Connection, store: Store, dataset: str, age: timedelta) -> Tally:
    """What `clean` would do, with nothing done."""
    tally = Tally()
    for page in _pages(store, dataset):
        for judged in _judge(connection, store, page, age):
            listed = page[judged.n - 1]
            tally.add(listed, judged.kept)
    return tally


def clean(
    connection: Connection,
    store: Store,
    dataset: str,
    age: timedelta,
    progress: Progress = lambda listed: None,
) -> Tally:
    """Remove what has been loaded for at least `age`, version for version, with a call of `progress` for each.

    `connection` must be in autocommit mode. Raises UserError where the store is out of reach, or another is at it.
    """
    tally = Tally()
    with _alone(connection):
        restore_interrupted(store)
        for page in _pages(store, dataset):
            for judged in _announce(connection, store, page, age):
                listed = page[judged.n - 1]
                kept = judged.kept or _remove(connection, store, listed, judged)
                tally.add(listed, kept)
                if not kept:
                    progress(listed)
    return tally


def orphans(connection: Connection, store: Store, dataset: str) -> list[StoredObject]:
    """Cleaned files of the dataset's drops that no loaded drop names, long enough after any attempt could still be.

    Files of drops that the ledger does not know are not ours to judge.
    """
    before = ledger.now(connection) - _ORPHANED_AFTER
    old = [listed for listed in store.list(f"{_CLEANED}{dataset}/") if listed.modified_at < before]
    named = connection.execute(
        """
        SELECT file.key FROM unnest(%s::text[], %s::bigint[]) AS file (key, drop_id)
        JOIN ledger.drops d ON d.id = drop_id AND d.store = %s AND d.dataset = %s
        WHERE NOT (d.state = 'loaded' AND d.cleaned_key = file.key) AND coalesce(d.claim_expires_at < now(), true)
        """,
        [[listed.key for listed in old], [_drop_id(listed.key) for listed in old], store.url, dataset],
    ).fetchall()
    left = {key for (key,) in named}
    return [listed for listed in old if listed.key in left]


def sweep(connection: Connection, store: Store, dataset: str) -> Tally:
    """Delete the `orphans`."""
    tally = Tally()
    for listed in orphans(connection, store, dataset):
        store.delete(listed.key)
        tally.add(listed, None)
    return tally


def _pages(store: Store, dataset: str) -> Iterator[list[StoredObject]]:
    listed = store.list(f"{LANDING}{dataset}/")
    return iter(lambda: list(islice(listed, _PAGE)), [])


def _judge(connection: Connection, store: Store, page: Sequence[StoredObject], age: timedelta) -> list[Judged]:
    with connection.cursor(row_factory=class_row(Judged)) as cursor:
        return cursor.execute(
            _JUDGED,
            {
                "store": store.url, "age": age, "keeps_versions": store.keeps_versions,
                "keys": [listed.key for listed in page], "versions": [listed.version for listed in page],
            },
        ).fetchall()  # fmt: skip


def _announce(connection: Connection, store: Store, page: Sequence[StoredObject], age: timedelta) -> list[Judged]:
    """Judge a page and write down what goes. Meanwhile no worker can take up a drop of it that none has taken yet."""
    with connection.transaction():
        connection.execute(
            "SELECT FROM ledger.drops WHERE store = %s AND key = ANY(%s) FOR UPDATE SKIP LOCKED",
            [store.url, [listed.key for listed in page]],
        )
        judged = _judge(connection, store, page, age)
        _write(connection, [drop for one in judged if not one.kept for drop in one.drops], None)
    return judged


def _remove(connection: Connection, store: Store, listed: StoredObject, judged: Judged) -> str | None:
    """Remove an announced object; why it is kept after all, where that must be."""
    try:
        remove(store, listed, judged.older)
    except Missing:
        return None
    except Changed as changed:
        _write(connection, judged.drops, f"kept: {changed}")
        return "changed meanwhile, or has versions that were never taken"
    return None


def _write(connection: Connection, drop_ids: Sequence[int], kept: str | None) -> None:
    """Record that the drops' objects go, or that they are kept after all."""
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


def _drop_id(key: str) -> int | None:
    """The drop that a cleaned file's name says it is of: `drop=<id>-<claim>.parquet`."""
    number = key.rpartition("/drop=")[2].partition("-")[0]
    return int(number) if number.isdecimal() and len(number) < 19 else None


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """One clean-up at a time: a second would put back what the first has put aside."""
    lock = "(hashtextextended('clean-up', 30))"
    (free,) = connection.execute(f"SELECT pg_try_advisory_lock{lock}").fetchone() or (False,)
    if not free:
        raise UserError("another clean-up is under way; wait until it is done")
    try:
        yield
    finally:
        connection.execute(f"SELECT pg_advisory_unlock{lock}")
