"""Finding drops: list the landing area, place each object in a dataset and partition, enter the new ones in the ledger.

Listing is the base: whatever was missed before is found by the next listing, whatever its time stamp. An object that no
contract can take is entered too, as failed and with the reason, so that nobody has to wonder where a file went.
"""

from collections.abc import Iterator, Mapping
from itertools import islice

from psycopg import Connection

from lastmile.contract import Contract
from lastmile.intake.ledger import Found, register
from lastmile.landing import LANDING, is_unfinished
from lastmile.store import Store, StoredObject

_PAGE = 5_000


def discover(connection: Connection, store: Store, contracts: Mapping[str, Contract], prefix: str = LANDING) -> int:
    """Enter every object under `prefix` that the ledger does not know in this version; returns how many were new."""
    found = place_all(store.list(prefix), contracts)
    return sum(register(connection, store.url, page) for page in iter(lambda: list(islice(found, _PAGE)), []))


def place_all(objects: Iterator[StoredObject], contracts: Mapping[str, Contract]) -> Iterator[Found]:
    return (place(listed, contracts) for listed in objects if not is_unfinished(listed.key))


def place(listed: StoredObject, contracts: Mapping[str, Contract]) -> Found:
    """The dataset and partition that an object's key names: `landing/<dataset>/<partition>/<anything>`."""
    dataset, _, rest = listed.key.removeprefix(LANDING).partition("/")
    partition, _, _ = rest.partition("/")
    return Found(
        dataset=dataset,
        partition=partition,
        key=listed.key,
        version=listed.version,
        size=listed.size,
        modified_at=listed.modified_at,
        problem=_problem(dataset, rest, partition, contracts),
    )


def _problem(dataset: str, rest: str, partition: str, contracts: Mapping[str, Contract]) -> str | None:
    if "/" not in rest:
        return "expected landing/<dataset>/<partition>/<file>; move the object to such a key"
    if dataset not in contracts:
        return f"no contract for dataset {dataset!r}; there are: {', '.join(sorted(contracts))}"
    try:
        contracts[dataset].partition.window(partition)
    except ValueError as error:
        return f"{dataset}: {error}"
    return None
