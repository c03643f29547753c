"""Which backfills are under way, and how far one is. To launch one is GraphQL's: see `graphql`."""

from collections.abc import Sequence
from dataclasses import dataclass

from dagster import AssetKey, DagsterInstance
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionsFilter, BulkActionStatus

_SUCCEEDED = (BulkActionStatus.COMPLETED, BulkActionStatus.COMPLETED_SUCCESS)
#: Its runs have ended, and it has not been marked as ended yet.
_UNDER_WAY = [BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]


@dataclass(frozen=True)
class BackfillState:
    """`made` of `wanted` partitions of assets exist; `succeeded` is None while it is under way."""

    succeeded: bool | None
    made: int
    wanted: int


def open_backfills(instance: DagsterInstance) -> int:
    """How many are under way."""
    return len(instance.get_backfills(filters=BulkActionsFilter(statuses=_UNDER_WAY)))


def assets_under_backfill(instance: DagsterInstance) -> set[AssetKey]:
    """The assets of the backfills that go on making runs."""
    found = instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]))
    return {key for backfill in found for key in backfill.asset_selection or ()}


def backfill_state(instance: DagsterInstance, backfill_id: str) -> BackfillState | None:
    """How far it is; None where there is no backfill of assets of that name."""
    backfill = instance.get_backfill(backfill_id)
    if backfill is None:
        return None
    ended = backfill.status in BULK_ACTION_TERMINAL_STATUSES
    data = backfill.asset_backfill_data
    return BackfillState(
        succeeded=backfill.status in _SUCCEEDED if ended else None,
        made=data.materialized_subset.num_partitions_and_non_partitioned_assets if data else 0,
        wanted=data.target_subset.num_partitions_and_non_partitioned_assets if data else 0,
    )


def assets_of_backfill(instance: DagsterInstance, backfill_id: str) -> Sequence[AssetKey]:
    """The assets it makes."""
    backfill = instance.get_backfill(backfill_id)
    return (backfill and backfill.asset_selection) or ()
