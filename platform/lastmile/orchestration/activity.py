"""What the platform is doing, read from Dagster's storage, and whether anything is left to do.

Idle means: no run and no backfill is under way, and the sensors have ticked since the last run ended and requested
nothing. Automation waits a tick for its inputs to be idle, so it must have ticked several times.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lastmile.orchestration.failures import assets_of_run, partitions_of_run, will_be_retried

if TYPE_CHECKING:
    from dagster import DagsterInstance, RunRecord

#: The sensors, and how many ticks in a row must request nothing.
SENSORS = {"landing": 1, "automation": 3, "retraining": 1}
_FAILED_TICKS = 3


@dataclass(frozen=True)
class Work:
    """A run under way: the assets it makes and how many of them are made."""

    run_id: str
    assets: Sequence[str]
    partitions: str
    made: int


@dataclass(frozen=True)
class Activity:
    """At one moment. `settled` is true when the sensors have requested nothing more since the last run ended."""

    working: Sequence[Work] = ()
    queued: int = 0
    backfills: int = 0
    finished: Sequence[str] = ()
    failed: Sequence[str] = ()
    settled: bool = False
    sensor_errors: Sequence[str] = ()


def activity(instance: "DagsterInstance", since: float, blame_since: float = 0.0) -> Activity:
    """The state of the instance, counting runs created after `since` (seconds since the epoch).

    Sensors are blamed for what failed after `blame_since` only.
    """
    from datetime import UTC, datetime

    from dagster import DagsterRunStatus, RunsFilter

    from lastmile.orchestration.dagster_compat.backfills import open_backfills

    unfinished = [
        DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING,
    ]  # fmt: skip
    open_runs = instance.get_run_records(RunsFilter(statuses=unfinished))
    recent = instance.get_run_records(RunsFilter(created_after=datetime.fromtimestamp(since, UTC)))
    ended = [record for record in recent if record.dagster_run.is_finished]
    working = [record for record in open_runs if record.dagster_run.status == DagsterRunStatus.STARTED]
    backfills = open_backfills(instance)
    last_end = max([since, *(record.end_time or 0 for record in ended)])
    idle = not open_runs and not backfills
    return Activity(
        working=[_work(instance, record) for record in working],
        queued=len(open_runs) - len(working),
        backfills=backfills,
        finished=[record.dagster_run.run_id for record in ended if record.dagster_run.is_success],
        failed=[record.dagster_run.run_id for record in ended if _is_final_failure(record)],
        settled=idle
        and all(_requested_nothing(instance, sensor, ticks, last_end) for sensor, ticks in SENSORS.items()),
        sensor_errors=_sensor_errors(instance, blame_since),
    )


def _work(instance: "DagsterInstance", record: "RunRecord") -> Work:
    from dagster import DagsterEventType

    run = record.dagster_run
    made = instance.get_records_for_run(run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION).records
    events = [record.event_log_entry.dagster_event for record in made]
    done = {event.asset_key for event in events if event and event.asset_key}
    span = "-".join(dict.fromkeys(partitions_of_run(run) or ()))
    return Work(run.run_id, assets_of_run(run), span, len(done))


def _is_final_failure(record: "RunRecord") -> bool:
    """A failed run that no automatic retry follows."""
    from dagster import DagsterRunStatus

    run = record.dagster_run
    if run.status not in (DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED):
        return False
    return not will_be_retried(run)


def _ticks(instance: "DagsterInstance", sensor: str, limit: int) -> "Sequence[Any]":
    state = next((state for state in instance.all_instigator_state() if state.instigator_name == sensor), None)
    return [] if state is None else instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=limit)


def _requested_nothing(instance: "DagsterInstance", sensor: str, ticks: int, since: float) -> bool:
    last = _ticks(instance, sensor, ticks)
    return len(last) == ticks and all(tick.timestamp > since and tick.status.value == "SKIPPED" for tick in last)


def _sensor_errors(instance: "DagsterInstance", since: float) -> list[str]:
    """The message of each sensor that has failed several times in a row."""
    errors = []
    for sensor in SENSORS:
        ticks = _ticks(instance, sensor, _FAILED_TICKS)
        if len(ticks) == _FAILED_TICKS and all(tick.is_failure and tick.timestamp > since for tick in ticks):
            errors.append(
                f"the {sensor} sensor fails: {ticks[0].error.message.strip() if ticks[0].error else 'no message'}"
            )
    return errors
