"""Partitions for which no drop came are recorded as made, with no rows, so that what is missing is not made yet.

Years and months are recorded from the contract's start up to the current one; of days, of which there are thousands,
those between the first and the last that has a drop: a day on which a shop is closed. A run does so for every dataset,
also those without any drop: a table made from several needs all of them. No run is spent on them: each is an event,
once; a run that finds very many leaves some to the next one. A drop that comes for one later makes it anew, as any
other.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.contracts.contract import Contract
from lastmile.contracts.partition import Partition
from lastmile.orchestration.drops.metadata import NO_DROP
from lastmile.orchestration.partitions import partitions_of

if TYPE_CHECKING:
    from psycopg import Connection


#: Partitions recorded in one run, the newest first: 500 cost it a few seconds.
MOST_EVENTS = 500


def record_empty(
    instance: dg.DagsterInstance,
    connection: "Connection",
    store: str,
    contract: Contract,
    keys: Sequence[dg.AssetKey],
    made_now: Iterable[str],
) -> None:
    """Record what the dataset has no drop for, where that is not done yet; `made_now` are the run's own partitions."""
    from lastmile.ledger.query import partitions_with_drops

    expected = empty(contract.partition, {*partitions_with_drops(connection, store, contract.name), *made_now})
    left = expected - instance.get_materialized_partitions(keys[0]) if expected else set()
    recorded = sorted(left, reverse=True)[:MOST_EVENTS]
    for key in reversed(keys) if recorded else ():  # the one that is looked at comes last: what is cut short goes on
        made = instance.get_materialized_partitions(key)  # of rows that have partitions of their own, for example
        for partition in recorded:
            if partition not in made:
                instance.report_runless_asset_event(_no_drop(key, partition))


def _no_drop(key: dg.AssetKey, partition: str) -> dg.AssetMaterialization:
    metadata: dict[str, Any] = {"drops": 0, "state": NO_DROP, "dagster/row_count": 0}
    return dg.AssetMaterialization(key, partition=partition, description=NO_DROP, metadata=metadata)


def empty(partition: Partition, with_drops: Iterable[str]) -> set[str]:
    """The partitions that should exist, less those that have drops."""
    known = set(with_drops)
    if partition.unit == "day":
        return {*(partition.keys(min(known), max(known)) if known else ())} - known
    return {*partitions_of(partition).get_partition_keys()} - known
