"""Finding drops: list the landing area, place each object in a dataset and partition, enter the new ones in the ledger.

Listing is the base: whatever was missed before is found by the next listing, whatever its time stamp. An object that no
contract can take is entered too, as failed and with the reason, so that nobody has to wonder where a file went.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.ledger import ListedDrop, register, unsettled
from lastmile.store import Store, StoredObject
from lastmile.store.landing import LANDING, is_unfinished, name_problem, shown

_PAGE = 5_000


def discover(connection: Connection, store: Store, contracts: Mapping[str, Contract], prefix: str = LANDING) -> int:
    """Enter every object under `prefix` that the ledger does not know in this version; returns how many were new."""
    return enter(connection, store, contracts, store.list(prefix))


def enter(
    connection: Connection, store: Store, contracts: Mapping[str, Contract], objects: Iterable[StoredObject]
) -> int:
    """Enter those of these objects that the ledger does not know in this version, page by page; returns how many."""
    left = (listed for listed in objects if not is_unfinished(listed.key))
    return sum(_enter_page(connection, store, contracts, page) for page in iter(lambda: list(islice(left, _PAGE)), []))


def _enter_page(
    connection: Connection, store: Store, contracts: Mapping[str, Contract], page: Sequence[StoredObject]
) -> int:
    new = unsettled(connection, store.url, [(shown(listed.key), listed.version) for listed in page])
    found = [place(page[number], contracts, store.settle) for number in sorted(new)]
    return register(connection, store.url, found) if found else 0


def place(listed: StoredObject, contracts: Mapping[str, Contract], settle: timedelta) -> ListedDrop:
    """The dataset and partition that an object's key names: `landing/<dataset>/<partition>/<anything>`.

    `settle` is how long the object is left alone first, where its contract says nothing about that.
    """
    key = shown(listed.key)
    dataset, _, rest = key.removeprefix(LANDING).partition("/")
    partition, _, _ = rest.partition("/")
    problem = name_problem(listed.key) or _problem(dataset, rest, partition, contracts)
    found = ListedDrop(dataset, partition, key, listed.version, listed.size, listed.modified_at, problem)
    if problem:
        return found
    contract = contracts[dataset]
    _, end = contract.partition.window(partition)
    return replace(
        found,
        partition_end=end,
        settle=settle if contract.arrival.quiet_period is None else contract.arrival.quiet_period,
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
