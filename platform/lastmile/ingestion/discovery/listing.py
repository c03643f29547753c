"""Discovery by listing: whatever was missed before is discovered by the next listing, regardless of timestamps."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.ingestion.discovery.routing import locate
from lastmile.ledger import register, unsettled
from lastmile.store import Store, StoredObject
from lastmile.store.landing import LANDING, is_unfinished, printable

_PAGE = 5_000


def discover(connection: Connection, store: Store, contracts: Mapping[str, Contract], prefix: str = LANDING) -> int:
    """Register every object under `prefix` whose version is not in the ledger; returns how many were new."""
    return register_objects(connection, store, contracts, store.list(prefix))


def register_objects(
    connection: Connection, store: Store, contracts: Mapping[str, Contract], objects: Iterable[StoredObject]
) -> int:
    """Register those of these objects whose version is not in the ledger, page by page; returns how many were new."""
    complete = (listed for listed in objects if not is_unfinished(listed.key))
    pages = iter(lambda: list(islice(complete, _PAGE)), [])
    return sum(_register_page(connection, store, contracts, page) for page in pages)


def _register_page(
    connection: Connection, store: Store, contracts: Mapping[str, Contract], page: Sequence[StoredObject]
) -> int:
    new = unsettled(connection, store.url, [(printable(listed.key), listed.version) for listed in page])
    found = [locate(page[number], contracts, store.quiet_period) for number in sorted(new)]
    return register(connection, store.url, found) if found else 0
