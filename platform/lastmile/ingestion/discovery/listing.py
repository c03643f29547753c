"""Discovery by listing: whatever was missed before is discovered by the next listing, regardless of timestamps.

A listing of the whole landing area also finds what is not there any more: a drop whose object was deleted stays
loaded, and that its object is gone is recorded.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.ingestion.discovery.routing import locate
from lastmile.ingestion.discovery.tracing import traced
from lastmile.ledger import register, unsettled
from lastmile.ledger.presence import (
    present,
    present_among,
    present_keys,
    record_back,
    record_gone,
    record_unlisted,
)
from lastmile.store import Store, StoredObject
from lastmile.store.landing import LANDING, is_unfinished, printable
from lastmile.telemetry.spans import span

_PAGE = 5_000


@dataclass
class _Tally:
    """Drops that were new, and listed keys that the ledger knows to be there."""

    new: int = 0
    present: int = 0


def discover(connection: Connection, store: Store, contracts: Mapping[str, Contract], prefix: str = LANDING) -> int:
    """Register every object under `prefix` whose version is not in the ledger; returns how many were new.

    What could not be listed, and of the whole landing area what is gone, is recorded.
    """
    with span("ingest.discover", prefix=prefix) as done:
        new = _discover(connection, store, contracts, prefix)
        done(new=new)
    return new


def _discover(connection: Connection, store: Store, contracts: Mapping[str, Contract], prefix: str) -> int:
    unlisted: dict[str, str] = {}
    objects = store.list(prefix, lambda key, why: unlisted.__setitem__(printable(key), why))
    tally = _register(connection, store, contracts, objects)
    record_unlisted(connection, store.url, prefix, unlisted)
    if prefix == LANDING and present(connection, store.url, unlisted) > tally.present:
        _record_gone(connection, store, unlisted)
    return tally.new


def register_objects(
    connection: Connection, store: Store, contracts: Mapping[str, Contract], objects: Iterable[StoredObject]
) -> int:
    """Register those of these objects whose version is not in the ledger, page by page; returns how many were new."""
    return _register(connection, store, contracts, objects).new


def _register(
    connection: Connection, store: Store, contracts: Mapping[str, Contract], objects: Iterable[StoredObject]
) -> _Tally:
    complete = (listed for listed in objects if not is_unfinished(listed.key))
    tally = _Tally()
    for page in iter(lambda: list(islice(complete, _PAGE)), []):
        _register_page(connection, store, contracts, page, tally)
    return tally


def _register_page(
    connection: Connection,
    store: Store,
    contracts: Mapping[str, Contract],
    page: Sequence[StoredObject],
    tally: _Tally,
) -> None:
    versions = [(printable(listed.key), listed.version) for listed in page]
    unknown = unsettled(connection, store.url, versions)
    places = sorted(unknown)
    tally.present += len(page) - len(places)
    if not places:
        return
    record_back(connection, store.url, [versions[place] for place in places])
    found = {place: locate(page[place], contracts, store.quiet_period) for place in places}
    new = [place for place, drop in found.items() if unknown[place] and not drop.problem]
    found |= zip(new, traced(connection, store.url, [found[place] for place in new]), strict=True)
    tally.new += register(connection, store.url, found.values())
    tally.present += present_among(connection, store.url, [versions[place][0] for place in places])


def _record_gone(connection: Connection, store: Store, unlisted: Collection[str]) -> None:
    """Compare the ledger's keys with a second listing, since objects may have come or gone during the first."""
    known = present_keys(connection, store.url, unlisted)
    there = {printable(listed.key) for listed in store.list(LANDING)}
    if missing := sorted(known - there):
        record_gone(connection, store.url, missing)
