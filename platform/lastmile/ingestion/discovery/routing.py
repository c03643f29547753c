"""Routing: which dataset and partition an object of the landing area belongs to, by its key.

An object that fits no contract is registered too, as failed and with the reason, so that no file disappears without a
trace; once a contract fits it, it is ingested. Contracts change, so a drop that waits may fit none any more: left
waiting it would be requested in vain for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.contracts.lookup import broken_file_of
from lastmile.ledger import ListedDrop, refuse
from lastmile.store import StoredObject
from lastmile.store.landing import LANDING, name_problem, printable

Waiting = tuple[str, str, int, int]


def locate(listed: StoredObject, contracts: Mapping[str, Contract], quiet_period: timedelta) -> ListedDrop:
    """The dataset and partition in an object's key: `landing/<dataset>/<partition>/<anything>`.

    `quiet_period` is how long the object must have been idle before it is read, unless its contract says otherwise.
    """
    key = printable(listed.key)
    dataset, _, rest = key.removeprefix(LANDING).partition("/")
    partition, _, _ = rest.partition("/")
    problem = name_problem(listed.key) or _form_problem(rest) or place_problem(dataset, partition, contracts)
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


def place_problem(dataset: str, partition: str, contracts: Mapping[str, Contract]) -> str | None:
    """Why no contract has such a dataset and partition; None where one has."""
    if dataset not in contracts:
        if broken := broken_file_of(dataset, contracts):
            return f"it is ingested once its contract can be used: {broken.why} ({broken.file})"
        return f"no contract for dataset {dataset!r}; there are: {', '.join(sorted(contracts))}"
    try:
        contracts[dataset].partition.window(partition)
    except ValueError as error:
        return f"{dataset}: {error}"
    return None


def refuse_unroutable(
    connection: Connection, store: str, contracts: Mapping[str, Contract], waiting: Sequence[Waiting]
) -> list[Waiting]:
    """Those of the waiting drops whose partition their contract still has; the others are refused with the reason.

    Those whose contract cannot be used at present go on waiting.
    """
    left = []
    for place in waiting:
        dataset, partition, *_ = place
        if broken_file_of(dataset, contracts) and dataset not in contracts:
            continue
        if problem := place_problem(dataset, partition, contracts):
            refuse(connection, store, dataset, partition, problem)
        else:
            left.append(place)
    return left


def _form_problem(rest: str) -> str | None:
    return None if "/" in rest else "expected landing/<dataset>/<partition>/<file>; move the object to such a key"
