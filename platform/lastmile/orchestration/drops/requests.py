"""Which runs the drops that wait are worth: few, soon, and none that would be followed by another at once.

One run for all years, for the months of a year and the days of a month, over every dataset with drops there and the
same partitions: Dagster makes no run of assets whose partitions differ, if only in their start. The ledger says what is
new, so there is no run key. While a run is at work, drops that arrive gather for the next one.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg
from dagster import DagsterRunStatus

from lastmile.contracts.contract import Contract
from lastmile.orchestration.chain import PARTITION_TAG, SHAPE_TAG, chain, shape_name
from lastmile.orchestration.drops.assets import cleaned_key, datasets_of, ingestion_step, quarantine_key, raw_key
from lastmile.orchestration.failures import RANGE, will_be_retried
from lastmile.orchestration.partitions import partitions_of

_FAILURES_IN_A_ROW = 3
_PAUSE_SECONDS = 600
#: Drops that came while a run was at work are a stream: the next run waits until none has come for so long, or the
#: first has waited for so long.
_QUIET_SECONDS, _LONGEST_SECONDS = 8, 45
#: The daemon makes the run that replaces one whose worker was lost within seconds, or a daemon that comes up later.
_RETRY_SECONDS = 120

Place = tuple[str, str]
Arrivals = Callable[[Sequence[Place]], tuple[datetime, datetime] | None]


def run_requests(
    instance: dg.DagsterInstance,
    graph: Any,
    contracts: Mapping[str, Contract],
    waiting: Iterable[tuple[str, str, int, int]],
    arrivals: Arrivals = lambda _: None,
) -> Iterator[dg.RunRequest]:
    """Runs for the partitions in which drops wait; datasets under a backfill are left to that, and what a lost worker
    was at to the run that Dagster makes in its place.

    `graph` is of the assets, None where only what ingestion makes is wanted; `arrivals` says when the first and the
    last of the drops that wait in some places were found.
    """
    from lastmile.orchestration.dagster_compat.backfills import assets_under_backfill

    left = assets_under_backfill(instance)
    groups: dict[tuple[dg.PartitionsDefinition[str], str, str], list[Place]] = defaultdict(list)
    for dataset, partition, *_ in waiting:
        if dataset in contracts and raw_key(dataset) not in left:
            shape = contracts[dataset].partition
            groups[partitions_of(shape), shape_name(shape), _batch(shape.unit, partition)].append((dataset, partition))
    for (shape_of_run, tag, batch), places in groups.items():
        for own_tag, found in _by_tag(instance, tag, batch, places).items():
            if _may_run(instance, own_tag, lambda found=found: arrivals(found)):  # type: ignore[misc]  # bound now
                tags = {PARTITION_TAG: own_tag, SHAPE_TAG: tag}
                yield _request(instance, graph, shape_of_run, found, tags, own_tag == f"{tag}/{batch}")


def _batch(unit: str, partition: str) -> str:
    return {"year": "all", "month": partition[: len("2024")], "day": partition[: len("2024-01")]}[unit]


def _by_tag(instance: dg.DagsterInstance, shape: str, batch: str, places: Sequence[Place]) -> dict[str, list[Place]]:
    """One run; after one has failed to ingest, for a while, one for each partition, so that what fails does not stop
    the rest."""
    if not _has_failed(instance, f"{shape}/{batch}"):
        return {f"{shape}/{batch}": list(places)}
    found: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        found[f"{shape}/{place[1]}"].append(place)
    return found


def _request(
    instance: dg.DagsterInstance,
    graph: Any,
    shape: dg.PartitionsDefinition[str],
    places: Sequence[Place],
    tags: Mapping[str, str],
    is_whole: bool,
) -> dg.RunRequest:
    """A run for the partitions from the first to the last; those between that wait for nothing are left as they are.

    One that is not the whole of what waits makes no other partitions of what is new: each of its kind would.
    """
    datasets = dict.fromkeys(dataset for dataset, _ in places)
    keys: Sequence[dg.AssetKey] = [key(name) for name in datasets for key in (raw_key, cleaned_key, quarantine_key)]
    partitions: Sequence[str] = sorted({partition for _, partition in places})
    if graph is not None:
        all_that_follows = chain(instance, graph, keys, shape)
        keys = all_that_follows.keys
        partitions = all_that_follows.partitions(graph, shape, partitions) if is_whole else partitions
    if len(partitions) == 1:
        return dg.RunRequest(asset_selection=keys, partition_key=partitions[0], tags=tags)
    ends = zip(RANGE, (partitions[0], partitions[-1]), strict=True)
    return dg.RunRequest(asset_selection=keys, tags={**tags, **dict(ends)})


def _has_failed(instance: dg.DagsterInstance, tag: str) -> bool:
    """Whether the last run of the tag failed to ingest and that is not long ago."""
    last = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: tag}), limit=1)
    if not last or _is_retried(last[0]):
        return False
    return _seconds_since(last[0].end_time) <= _PAUSE_SECONDS and _failed_to_ingest(instance, last[0])


def _may_run(instance: dg.DagsterInstance, tag: str, arrivals: Callable[[], tuple[datetime, datetime] | None]) -> bool:
    """False while a run of the tag is under way or about to be retried, for a pause after several in a row have failed
    to ingest, and while drops that came during the last one go on coming."""
    last = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: tag}), limit=_FAILURES_IN_A_ROW)
    if not last:
        return True
    if not last[0].dagster_run.is_finished or _is_retried(last[0]):
        return False
    is_recent = _seconds_since(last[0].end_time) <= _PAUSE_SECONDS
    if is_recent and len(last) == _FAILURES_IN_A_ROW and all(_failed_to_ingest(instance, record) for record in last):
        return False
    return not _go_on_coming(last[0], arrivals())


def _go_on_coming(last: dg.RunRecord, found: tuple[datetime, datetime] | None) -> bool:
    if found is None or last.start_time is None or last.end_time is None:
        return False
    earliest, latest = (moment.timestamp() for moment in found)
    came_meanwhile = last.start_time < earliest < last.end_time
    now = time.time()
    return came_meanwhile and now - latest < _QUIET_SECONDS and now - earliest < _LONGEST_SECONDS


def _is_retried(record: dg.RunRecord) -> bool:
    """Whether Dagster makes another run in its place in a moment."""
    return will_be_retried(record.dagster_run) and _seconds_since(record.end_time) <= _RETRY_SECONDS


def _failed_to_ingest(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Not where only what follows from the rows failed. A run without a failed step has lost its worker."""
    run = record.dagster_run
    if run.status != DagsterRunStatus.FAILURE:
        return False
    events = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    steps = [event.event_log_entry.step_key for event in events]
    own = {step for dataset in datasets_of(run.asset_selection or ()) for step in ingestion_step(dataset)}
    return not steps or any(step in own for step in steps)


def _seconds_since(end_time: float | None) -> float:
    return time.time() - (end_time or 0)
