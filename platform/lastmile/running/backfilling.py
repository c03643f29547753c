"""Asking Dagster for a backfill from outside the web UI, through the code server that is running."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster import DagsterInstance

#: A run with this tag set to `true` takes the drops of its partitions again.
REDO_TAG = "lastmile/redo"
#: A run with this tag takes its drops on the Dask cluster of the scheduler at that address.
DASK_TAG = "lastmile/dask"
ROOMS = ("raw", "cleaned", "quarantine")


def request(
    instance: "DagsterInstance",
    workspace: Path,
    datasets: Sequence[str],
    partitions: Sequence[str],
    tags: Mapping[str, str],
) -> str:
    """Ask for the datasets' drops of these partitions to be taken; returns the backfill's id."""
    from dagster import AssetKey
    from dagster._core.execution.backfill import PartitionBackfill
    from dagster._core.utils import make_new_backfill_id
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    now = time.time()
    with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)])) as workspace_context:
        wanted = PartitionBackfill.from_asset_partitions(
            backfill_id=make_new_backfill_id(),
            asset_graph=workspace_context.create_request_context().asset_graph,
            partition_names=list(partitions),
            asset_selection=[AssetKey([room, dataset]) for dataset in datasets for room in ROOMS],
            backfill_timestamp=now,
            tags=dict(tags),
            dynamic_partitions_store=instance,
            all_partitions=False,
            title=f"{', '.join(datasets)}: {partitions[0]} to {partitions[-1]}",
            description=None,
            run_config=None,
        )
        instance.add_backfill(wanted)
    return wanted.backfill_id


def is_done(instance: "DagsterInstance", backfill_id: str) -> bool | None:
    """None while it is under way, then whether it succeeded."""
    from dagster._core.execution.backfill import BulkActionStatus

    backfill = instance.get_backfill(backfill_id)
    if backfill is None or backfill.status in (
        BulkActionStatus.FAILED,
        BulkActionStatus.COMPLETED_FAILED,
        BulkActionStatus.CANCELED,
    ):
        return False
    return True if backfill.status in (BulkActionStatus.COMPLETED, BulkActionStatus.COMPLETED_SUCCESS) else None
