"""Asking Dagster for a backfill from outside the web UI, through the code server that is running.

A backfill is Dagster's own and lives in its storage: whoever asked for it may go away, the daemon carries it on, also
after a stop, and does not repeat the runs that are done.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lastmile.errors import UserError

if TYPE_CHECKING:
    from dagster import AssetKey, DagsterInstance
    from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
    from dagster._core.execution.backfill import PartitionBackfill

#: A run with this tag set to `true` takes the drops of its partitions again.
REDO_TAG = "lastmile/redo"
#: A run with this tag takes its drops on the Dask cluster of the scheduler at that address.
DASK_TAG = "lastmile/dask"
ROOMS = ("raw", "cleaned", "quarantine")


@dataclass(frozen=True)
class Range:
    """Assets, as Dagster's selection syntax names them, and the first and last of their partitions."""

    selection: str
    first: str
    last: str


def rooms(datasets: Sequence[str]) -> str:
    """The selection of what the intake makes of some datasets."""
    return " or ".join(f'key:"{room}/{dataset}"' for dataset in datasets for room in ROOMS)


@dataclass(frozen=True)
class Asked:
    """A backfill that was asked for, and the assets it makes."""

    backfill_id: str
    keys: Sequence["AssetKey"]

    def is_done(self, instance: "DagsterInstance") -> bool | None:
        """None while it is under way, then whether it succeeded."""
        from dagster._core.execution.backfill import BulkActionStatus

        backfill = instance.get_backfill(self.backfill_id)
        if backfill is None or backfill.status in (
            BulkActionStatus.FAILED,
            BulkActionStatus.COMPLETED_FAILED,
            BulkActionStatus.CANCELED,
        ):
            return False
        return True if backfill.status in (BulkActionStatus.COMPLETED, BulkActionStatus.COMPLETED_SUCCESS) else None

    def progress(self, instance: "DagsterInstance") -> tuple[int, int]:
        """How many partitions of assets are made, and of how many; one that failed is not made."""
        backfill = instance.get_backfill(self.backfill_id)
        data = backfill and backfill.asset_backfill_data
        if not data:
            return 0, 0
        made, wanted = data.materialized_subset, data.target_subset
        return made.num_partitions_and_non_partitioned_assets, wanted.num_partitions_and_non_partitioned_assets

    def left(self, instance: "DagsterInstance") -> str | None:
        """What was not made and how to ask for it; None where all was."""
        if self.is_done(instance):
            return None
        made, wanted = self.progress(instance)
        return (
            f"{made:,} of {wanted:,} partitions of assets were made; once what failed is mended, ask for the rest:"
            f" `lastmile backfill --resume {self.backfill_id}`"
        )


def request(instance: "DagsterInstance", workspace: Path, wanted: Range, tags: Mapping[str, str]) -> Asked:
    """Ask for the range. Raises UserError where nothing is selected, or its assets have no such partitions."""
    return _add(instance, workspace, lambda graph: _of_range(instance, graph, wanted, tags))


def request_resume(instance: "DagsterInstance", workspace: Path, backfill_id: str) -> Asked:
    """Ask for what an earlier backfill has not made. Raises UserError where it is not over, or all of it is made."""
    return _add(instance, workspace, lambda graph: _of_rest(instance, backfill_id))


def _add(instance: "DagsterInstance", workspace: Path, make: Any) -> Asked:
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)])) as context:
        backfill: PartitionBackfill = make(context.create_request_context().asset_graph)
        instance.add_backfill(backfill)
    return Asked(backfill.backfill_id, backfill.asset_selection or [])


def _of_range(
    instance: "DagsterInstance", graph: "BaseAssetGraph[Any]", wanted: Range, tags: Mapping[str, str]
) -> "PartitionBackfill":
    from dagster._core.execution.backfill import PartitionBackfill
    from dagster._core.utils import make_new_backfill_id

    keys = _selected(graph, wanted.selection)
    return PartitionBackfill.from_asset_partitions(
        backfill_id=make_new_backfill_id(),
        asset_graph=graph,
        partition_names=_partitions(graph, keys, wanted),
        asset_selection=keys,
        backfill_timestamp=time.time(),
        tags=dict(tags),
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=f"{wanted.first} to {wanted.last}",
        description=wanted.selection,
        run_config=None,
    )


def _selected(graph: "BaseAssetGraph[Any]", selection: str) -> list["AssetKey"]:
    from dagster import AssetSelection
    from dagster_shared.error import DagsterError

    try:
        found: AssetSelection = AssetSelection.from_string(selection)
        keys = sorted(found.resolve(graph))
    except DagsterError as error:
        raise UserError(f"cannot read the selection {selection!r}: {str(error).splitlines()[0]}") from None
    if not keys:
        raise UserError(f"no asset is {selection}; select as in the UI, such as 'key:\"marts/fct_household_year\"+'")
    return keys


def _partitions(graph: "BaseAssetGraph[Any]", keys: Sequence["AssetKey"], wanted: Range) -> list[str]:
    """The partitions of the range, which all partitioned assets among the selected must have."""
    shapes = {shape for key in keys if (shape := graph.get(key).partitions_def)}
    if not shapes:
        raise UserError(f"{wanted.selection}: none of these assets is made by partition; materialize them in the UI")
    found: list[list[str]] = []
    for shape in shapes:
        every = shape.get_partition_keys()
        if not {wanted.first, wanted.last} <= {*every}:
            few = ", ".join(key.to_user_string() for key in keys if graph.get(key).partitions_def == shape)
            raise UserError(
                f"{few} have partitions from {every[0]} to {every[-1]};"
                f" found {wanted.first} to {wanted.last}: select assets of one kind of partition"
            )
        found.append([key for key in every if wanted.first <= key <= wanted.last])
    if len({tuple(keys) for keys in found}) > 1 or not found[0]:
        raise UserError(f"{wanted.first} to {wanted.last} are not the same partitions for all of the assets selected")
    return found[0]


def _of_rest(instance: "DagsterInstance", backfill_id: str) -> "PartitionBackfill":
    from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, PartitionBackfill
    from dagster._core.utils import make_new_backfill_id

    earlier = instance.get_backfill(backfill_id)
    if earlier is None or earlier.asset_backfill_data is None:
        raise UserError(f"there is no backfill {backfill_id}; those there are are in the UI under Runs, Backfills")
    if earlier.status not in BULK_ACTION_TERMINAL_STATUSES:
        raise UserError(f"backfill {backfill_id} is still under way; `lastmile up` carries it on")
    data = earlier.asset_backfill_data
    rest = data.target_subset - data.materialized_subset
    if not rest.num_partitions_and_non_partitioned_assets:
        raise UserError(f"everything that backfill {backfill_id} was asked for is made")
    resumed: PartitionBackfill = PartitionBackfill.from_asset_graph_subset(
        backfill_id=make_new_backfill_id(),
        backfill_timestamp=time.time(),
        tags=earlier.tags,
        dynamic_partitions_store=instance,
        asset_graph_subset=rest,
        title=f"the rest of {earlier.title}",
        description=earlier.description,
        run_config=None,
    )
    return resumed
