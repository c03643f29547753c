"""What follows from new drops, for one run to make all of it, from the rows to the report.

A run costs seconds before it makes anything, and what is made in several runs is for a while made from different drops.
What is left to automation: assets that say so by a tag, as models do, whose training would keep a report waiting;
partitions other than the run's; and whatever a run could not make.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from lastmile.contracts.partition import Partition
from lastmile.orchestration.partitions import MOST_PARTITIONS

#: The tag of runs that drops led to: which of their partitions it makes.
PARTITION_TAG = "lastmile/partition"
#: The tag of such runs with what they make: the assets of these partitions, and those without any.
SHAPE_TAG = "lastmile/partitions"
#: The tag of assets that are made in runs of their own.
OWN_RUN = {"lastmile/run": "own"}


def shape_name(partition: Partition) -> str:
    """The same for assets that one run can make."""
    return f"{partition.unit} from {partition.start_key()}"


@dataclass(frozen=True)
class Chain:
    """The assets of one run, and those that follow from its drops and were never made."""

    keys: Sequence[dg.AssetKey]
    new: frozenset[dg.AssetKey]

    def partitions(self, graph: Any, shape: dg.PartitionsDefinition[str], waiting: Sequence[str]) -> Sequence[str]:
        """Those to make: of assets that are new all there are, or they would follow in a run of their own."""
        every = shape.get_partition_keys()
        if len(every) <= MOST_PARTITIONS and any(graph.get(key).partitions_def for key in self.new):
            return every
        return waiting


def chain(
    instance: dg.DagsterInstance, graph: Any, first: Sequence[dg.AssetKey], shape: dg.PartitionsDefinition[str]
) -> Chain:
    """`first`, and what is made from them by the same partitions or by none; with it what that lacks to be made, and
    what was never made of that.

    A view is made once: what changes below it shows in it.
    """

    def follows(key: dg.AssetKey) -> bool:
        node = graph.get(key)
        is_automatic = node.is_materializable and node.automation_condition is not None
        return is_automatic and node.partitions_def in (None, shape) and not OWN_RUN.items() <= node.tags.items()

    def children(key: dg.AssetKey) -> Iterable[dg.AssetKey]:
        return filter(follows, sorted(graph.get(key).child_keys))

    below = _reached(first, children)
    above = _reached(below, lambda key: filter(follows, sorted(graph.get(key).parent_keys)))
    beyond = _reached((key for key in above if graph.get(key).parent_keys and not graph.get(key).is_virtual), children)
    read = (parent for key in beyond for parent in graph.get(key).parent_keys)
    never = _never_made(instance, [*dict.fromkeys([*first, *above, *beyond, *read])])
    made = (key for key in below if not graph.get(key).is_virtual)
    keys = dict.fromkeys([*first, *made, *filter(never.__contains__, above)])
    for key in filter(never.__contains__, beyond):  # the nearest first: what it is made from comes before it
        if keys.keys() >= graph.get(key).parent_keys & never:
            keys[key] = None
    return Chain([*keys], frozenset(never.intersection(keys).difference(first)))


def _reached(
    start: Iterable[dg.AssetKey], following: Callable[[dg.AssetKey], Iterable[dg.AssetKey]]
) -> list[dg.AssetKey]:
    """The keys that can be reached, those of the start among them, the nearest first."""
    found = dict.fromkeys(start)
    queue = list(found)
    for key in queue:
        more = [other for other in following(key) if other not in found]
        found.update(dict.fromkeys(more))
        queue.extend(more)
    return list(found)


def _never_made(instance: dg.DagsterInstance, keys: Sequence[dg.AssetKey]) -> set[dg.AssetKey]:
    records = instance.get_asset_records(keys)
    made = {record.asset_entry.asset_key for record in records if record.asset_entry.last_materialization_record}
    return set(keys) - made
