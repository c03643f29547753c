"""Which backfills are under way, and how far one is. To launch one is GraphQL's: see `graphql`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dagster import AssetKey, DagsterInstance
from dagster._core.execution.backfill import (
    BULK_ACTION_TERMINAL_STATUSES,
    BulkActionsFilter,
    BulkActionStatus,
    PartitionBackfill,
)

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]

_SUCCEEDED = (BulkActionStatus.COMPLETED, BulkActionStatus.COMPLETED_SUCCESS)
_STATES: Mapping[BulkActionStatus, State] = {
    BulkActionStatus.REQUESTED: "running",
    BulkActionStatus.CANCELING: "running",
    BulkActionStatus.FAILING: "running",
    BulkActionStatus.COMPLETED: "succeeded",
    BulkActionStatus.COMPLETED_SUCCESS: "succeeded",
    BulkActionStatus.COMPLETED_FAILED: "failed",
    BulkActionStatus.FAILED: "failed",
    BulkActionStatus.CANCELED: "cancelled",
}
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


@dataclass(frozen=True)
class BackfillRecord:
    """One as people follow it. `title` is how it was named; times are seconds since the epoch."""

    id: str
    state: State
    title: str | None
    assets: Sequence[str]
    made: int
    wanted: int
    requested_at: float
    ended_at: float | None
    error: str | None
    tags: Mapping[str, str]


def backfill_record(instance: DagsterInstance, backfill_id: str) -> BackfillRecord | None:
    """None where there is no such backfill."""
    found = instance.get_backfill(backfill_id)
    return _record(found) if found else None


def backfill_records(
    instance: DagsterInstance, most: int, before: datetime | None, states: Sequence[State] | None = None
) -> list[BackfillRecord]:
    """The newest first. One that waits for its first run is `running` to Dagster, `queued` to us."""
    wanted = {"running" if state == "queued" else state for state in states} if states else None
    statuses = [status for status, state in _STATES.items() if state in wanted] if wanted else None
    found = instance.get_backfills(filters=BulkActionsFilter(statuses=statuses, created_before=before), limit=most)
    records = map(_record, found)
    return [record for record in records if states is None or record.state in states]


def backfill_tagged(instance: DagsterInstance, tags: Mapping[str, str]) -> str | None:
    """The id of the newest with all of these tags."""
    found = instance.get_backfills(filters=BulkActionsFilter(tags=dict(tags)), limit=1)
    return found[0].backfill_id if found else None


def _record(found: PartitionBackfill) -> BackfillRecord:
    data, state = found.asset_backfill_data, _STATES[found.status]
    if found.status == BulkActionStatus.REQUESTED and not (data and data.requested_runs_for_target_roots):
        state = "queued"
    return BackfillRecord(
        id=found.backfill_id,
        state=state,
        title=found.title,
        assets=sorted(key.to_user_string() for key in found.asset_selection or ()),
        made=data.materialized_subset.num_partitions_and_non_partitioned_assets if data else 0,
        wanted=data.target_subset.num_partitions_and_non_partitioned_assets if data else 0,
        requested_at=found.backfill_timestamp,
        ended_at=found.backfill_end_timestamp,
        error=found.error.message.strip() if found.error else None,
        tags=found.tags,
    )
