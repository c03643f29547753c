"""Objects: those whose rows are safely in the warehouse leave the landing area, and orphaned cleaned files go.

The ledger decides, and outlives what it describes. An object goes only while the version in the store is the key's
newest in the ledger, that version (or the one it is a duplicate of) is loaded, no row of it is undecided (to release
one, the object is read again), and nothing of the key waits or is being ingested. That it goes is recorded first:
killed in between, the next clean-up finds the object still listed, and removes it.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice

from psycopg import Connection

from lastmile import ledger
from lastmile.ledger.removal import UNDECIDED, Removal, lock_keys, orphaned, record_removal, removals
from lastmile.operations.retention.alone import alone
from lastmile.quarantine.query import with_undecided_rows
from lastmile.store import Changed, Missing, Store, StoredObject
from lastmile.store.landing import LANDING
from lastmile.store.removal import remove, restore_interrupted

_PAGE = 500
_CLEANED = "cleaned/"
#: A file is published just before its drop's commit. Older ones that no drop names were left by an attempt that died.
_ORPHANED_AFTER = ledger.LEASE * 2


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
        for removal in _removals(connection, store, page, age):
            tally.add(page[removal.n - 1], removal.kept)
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
    with alone(connection):
        restore_interrupted(store)
        for page in _pages(store, dataset):
            for removal in _announce(connection, store, page, age):
                listed = page[removal.n - 1]
                kept = removal.kept or _remove(connection, store, listed, removal)
                tally.add(listed, kept)
                if not kept:
                    progress(listed)
    return tally


def orphans(connection: Connection, store: Store, dataset: str) -> list[StoredObject]:
    """Cleaned files of the dataset's drops that no loaded drop names, once no attempt can still be under way.

    Files of drops that the ledger does not know are left alone.
    """
    before = ledger.now(connection) - _ORPHANED_AFTER
    old = [listed for listed in store.list(f"{_CLEANED}{dataset}/") if listed.modified_at < before]
    left = orphaned(connection, store.url, dataset, [(listed.key, _drop_id(listed.key)) for listed in old])
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


def _removals(connection: Connection, store: Store, page: Sequence[StoredObject], age: timedelta) -> list[Removal]:
    found = removals(
        connection, store.url, [(listed.key, listed.version) for listed in page], age, store.keeps_versions
    )
    loaded = [one.loaded for one in found if one.loaded and not one.kept]
    undecided = with_undecided_rows(connection, loaded) if loaded else set()
    return [replace(one, kept=UNDECIDED) if not one.kept and one.loaded in undecided else one for one in found]


def _announce(connection: Connection, store: Store, page: Sequence[StoredObject], age: timedelta) -> list[Removal]:
    """Decide about a page and record what goes. Meanwhile no worker can claim a drop of it that none holds yet."""
    with connection.transaction():
        lock_keys(connection, store.url, [listed.key for listed in page])
        found = _removals(connection, store, page, age)
        record_removal(connection, [drop for one in found if not one.kept for drop in one.drops])
    return found


def _remove(connection: Connection, store: Store, listed: StoredObject, removal: Removal) -> str | None:
    """Remove an announced object; why it is kept after all, where that must be."""
    try:
        remove(store, listed, removal.older)
    except Missing:
        return None
    except Changed as changed:
        record_removal(connection, removal.drops, f"kept: {changed}")
        return "changed meanwhile, or has versions that were never ingested"
    return None


def _drop_id(key: str) -> int | None:
    """The drop that a cleaned file's name says it is of: `drop=<id>-<claim>.parquet`."""
    number = key.rpartition("/drop=")[2].partition("-")[0]
    return int(number) if number.isdecimal() and len(number) < 19 else None
