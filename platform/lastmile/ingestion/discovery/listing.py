"""Discovery by listing: assign each object of the landing area to a dataset and partition, register the new ones.

Whatever was missed before is discovered by the next listing, regardless of timestamps. An object that fits no contract
is registered too, as failed and with the reason, so that no file disappears without a trace.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.ledger import ListedDrop, register, unsettled
from lastmile.store import Store, StoredObject
from lastmile.store.landing import LANDING, is_unfinished, name_problem, printable

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


def locate(listed: StoredObject, contracts: Mapping[str, Contract], quiet_period: timedelta) -> ListedDrop:
    """The dataset and partition in an object's key: `landing/<dataset>/<partition>/<anything>`.

    `quiet_period` is how long the object must have been idle before it is read, unless its contract says otherwise.
    """
    key = printable(listed.key)
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
        settle=quiet_period if contract.arrival.quiet_period is None else contract.arrival.quiet_period,
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
