"""Runs and backfills as plain data, for those who follow them: the newest first, one of them, what it made.

A backfill counts as one; its runs are those that are `part_of` it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

from lastmile.orchestration.backfills import is_run
from lastmile.orchestration.failures import assets_of_run, one_line, partitions_of_run, reason
from lastmile.orchestration.launches import WHO_TAG
from lastmile.orchestration.runs.cause import CAUSE_TAG

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance, RunRecord

    from lastmile.orchestration.dagster_compat.backfills import BackfillRecord, State

_PART_OF = "dagster/backfill"
_RANGE = re.compile(r"^(\S+) to (\S+)$")
_STATES = {
    "SUCCESS": "succeeded", "FAILURE": "failed", "CANCELED": "cancelled", "STARTED": "running", "CANCELING": "running"
}  # fmt: skip
#: Runs of a backfill that are looked through for what it made.
_MOST_RUNS = 1_000


@dataclass(frozen=True)
class Launch:
    """A run, or a backfill of several. Times are seconds since the epoch; `partitions` are the first and the last.

    `made` counts assets, of a backfill also each of their partitions, out of `wanted`. `error` is one line.
    """

    id: str
    kind: str
    state: "State"
    assets: Sequence[str]
    partitions: tuple[str, str] | None
    made: int
    wanted: int
    requested_at: float
    started_at: float | None
    ended_at: float | None
    error: str | None
    who: str | None
    why: str | None
    part_of: str | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def page(
    instance: "DagsterInstance",
    most: int,
    states: "Sequence[State] | None" = None,
    before: datetime | None = None,
    part_of: str | None = None,
) -> list[Launch]:
    """The newest, requested before that time; the runs of one backfill where it is named, else none of any."""
    from dagster import DagsterRunStatus, RunsFilter

    from lastmile.orchestration.dagster_compat.backfills import backfill_records

    statuses = [status for status in DagsterRunStatus if _state(status.value) in states] if states else None
    wanted = RunsFilter(
        statuses=statuses,
        created_before=before,
        tags={_PART_OF: part_of} if part_of else None,
        exclude_subruns=None if part_of else True,
    )
    runs = [_of_run(instance, record) for record in instance.get_run_records(wanted, limit=most)]
    if part_of:
        return runs
    backfills = [_of_backfill(instance, one) for one in backfill_records(instance, most, before, states)]
    return sorted([*runs, *backfills], key=lambda one: -one.requested_at)[:most]


def find(instance: "DagsterInstance", one: str) -> Launch | None:
    """The run or the backfill of that id."""
    from lastmile.orchestration.dagster_compat.backfills import backfill_record

    if is_run(one):
        record = instance.get_run_record_by_id(one)
        return _of_run(instance, record) if record else None
    backfill = backfill_record(instance, one)
    return _of_backfill(instance, backfill) if backfill else None


def runs_of(instance: "DagsterInstance", one: str) -> list[str]:
    """Ids of the runs: of a backfill its own, the newest first."""
    from dagster import RunsFilter

    return [one] if is_run(one) else list(instance.get_run_ids(RunsFilter(tags={_PART_OF: one}), limit=_MOST_RUNS))


def results(instance: "DagsterInstance", runs: Sequence[str], most: int) -> dict[str, list[dict[str, Any]]]:
    """Assets that the runs materialized, with the numbers recorded with each, and checks; `most` of both together."""
    made: list[dict[str, Any]] = []
    checks: list[dict[str, Any]] = []
    for run in runs:
        for event in _events(instance, run, most - len(made) - len(checks)):
            if event.event_type_value == "ASSET_CHECK_EVALUATION":
                checks.append({"run": run, **_checked(event)})
            else:
                made.append({"run": run, **_made(event)})
        if len(made) + len(checks) >= most:
            break
    return {"assets": made, "checks": checks}


def _events(instance: "DagsterInstance", run: str, most: int) -> "Iterator[DagsterEvent]":
    from dagster import DagsterEventType

    kinds = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_CHECK_EVALUATION}
    for record in instance.get_records_for_run(run, of_type=kinds, limit=most).records:
        if event := record.event_log_entry.dagster_event:
            yield event


def _made(event: "DagsterEvent") -> dict[str, Any]:
    found = event.step_materialization_data.materialization
    return {
        "asset": found.asset_key.to_user_string(),
        "partition": found.partition,
        "numbers": _numbers(found.metadata),
    }


def _checked(event: "DagsterEvent") -> dict[str, Any]:
    found = event.asset_check_evaluation_data
    return {
        "asset": found.asset_key.to_user_string(),
        "check": found.check_name,
        "partition": found.partition,
        "passed": found.passed,
        "severity": found.severity.value.lower(),
        "description": found.description,
    }


def _numbers(metadata: Mapping[str, Any]) -> dict[str, float]:
    values = {name: getattr(entry, "value", None) for name, entry in metadata.items()}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    }


def _of_run(instance: "DagsterInstance", record: "RunRecord") -> Launch:
    run, assets = record.dagster_run, assets_of_run(record.dagster_run)
    return Launch(
        id=run.run_id,
        kind="run",
        state=_state(run.status.value),
        assets=assets,
        partitions=partitions_of_run(run),
        made=_made_by(instance, run.run_id) if run.is_finished or record.start_time else 0,
        wanted=len(assets),
        requested_at=record.create_timestamp.replace(tzinfo=record.create_timestamp.tzinfo or UTC).timestamp(),
        started_at=record.start_time,
        ended_at=record.end_time,
        error=reason(instance, run.run_id) if run.status.value == "FAILURE" else None,
        part_of=run.tags.get(_PART_OF),
        **_tags(run.tags),
    )


def _of_backfill(instance: "DagsterInstance", record: "BackfillRecord") -> Launch:
    named = _RANGE.match(record.title or "")
    error = one_line(record.error) if record.error else None
    if record.state == "failed" and not error:
        error = _first_error(instance, record.id)
    return Launch(
        id=record.id,
        kind="backfill",
        state=record.state,
        assets=record.assets,
        partitions=(named[1], named[2]) if named else None,
        made=record.made,
        wanted=record.wanted,
        requested_at=record.requested_at,
        started_at=None,
        ended_at=record.ended_at,
        error=error,
        part_of=None,
        **_tags(record.tags),
    )


def _first_error(instance: "DagsterInstance", backfill: str) -> str | None:
    from dagster import DagsterRunStatus, RunsFilter

    failed = RunsFilter(tags={_PART_OF: backfill}, statuses=[DagsterRunStatus.FAILURE])
    runs = instance.get_run_ids(failed, limit=1)
    return reason(instance, runs[0]) if runs else None


def _made_by(instance: "DagsterInstance", run: str) -> int:
    from dagster import DagsterEventType

    found = instance.get_records_for_run(run, of_type=DagsterEventType.ASSET_MATERIALIZATION).records
    events = [record.event_log_entry.dagster_event for record in found]
    return len({event.asset_key for event in events if event})


def _state(status: str) -> "State":
    return _STATES.get(status, "queued")  # type: ignore[return-value]


def _tags(tags: Mapping[str, str]) -> dict[str, Any]:
    return {"who": tags.get(WHO_TAG), "why": tags.get(CAUSE_TAG)}
