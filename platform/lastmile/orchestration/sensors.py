"""What happens by itself: a sensor turns pending drops into runs, automation carries their rows on to the report."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterRunStatus

from lastmile.contracts.broken import Broken
from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.orchestration.drops.assets import cleaned_key, quarantine_key, raw_key
from lastmile.orchestration.drops.causes import with_causes
from lastmile.orchestration.partitions import partitions_of
from lastmile.orchestration.placeholders import verdicts
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.unrouted import UnroutedReport

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.store import Store

PARTITION_TAG = "lastmile/partition"
_FAILURES_IN_A_ROW = 3
_PAUSE_SECONDS = 600
#: Runs requested in one tick; the rest follows in the next ones.
_MOST_RUNS = 10
#: Between two listings of the whole landing area, where notifications name what is new meanwhile.
_LISTING_SECONDS = 300


def landing_sensor(assets: dg.AssetSelection, every_seconds: int, broken: Sequence[Broken] = ()) -> dg.SensorDefinition:
    """Also reports, once in the life of the process that loaded the code, what of it is `broken`."""
    report = UnroutedReport()
    unreported = verdicts(broken)  # looked at when the first tick comes, and used up by it

    @dg.sensor(
        name="landing",
        description="Registers new drops in the ledger; requests runs of the partitions with pending drops.",
        asset_selection=assets,
        minimum_interval_seconds=every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def landing(context: dg.SensorEvaluationContext, platform: Platform) -> Iterator[dg.RunRequest | dg.SkipReason]:
        from lastmile.ingestion.discovery.routing import refuse_unroutable
        from lastmile.ledger import pending

        for verdict in unreported:
            context.instance.report_runless_asset_event(verdict)
        contracts, store = platform.contracts(), platform.store()
        with platform.connect() as connection:
            new = _register_new_drops(context, platform, connection, store, contracts)
            waiting = refuse_unroutable(connection, store.url, contracts, pending(connection, store.url))
            report.update(context.instance, connection, store.url, contracts)
        context.log.info(f"{new} new drops, {sum(count for *_, count, _ in waiting)} pending")
        requests = list(_requests(context.instance, _loaded(context, contracts), waiting))
        yield from with_causes(platform, requests[:_MOST_RUNS])
        if not requests:
            yield dg.SkipReason(
                "no drops are pending" if not waiting else "runs for the partitions with pending drops are under way"
            )

    return landing


def _loaded(context: dg.SensorEvaluationContext, contracts: Mapping[str, Contract]) -> Mapping[str, Contract]:
    """Those that are assets of this code location: a file added since is part of it after a reload."""
    if context.repository_def is None:
        return contracts
    keys = context.repository_def.asset_graph.get_all_asset_keys()
    return {name: contract for name, contract in contracts.items() if raw_key(name) in keys}


def _register_new_drops(
    context: dg.SensorEvaluationContext,
    platform: Platform,
    connection: "Connection",
    store: "Store",
    contracts: Mapping[str, Contract],
) -> int:
    """How many are new: by listing, or between two listings by notifications, where there is a queue of them.

    The cursor holds when the last listing was. It is safe to lose; a clock set back makes the next one come earlier.
    """
    import time

    from lastmile.ingestion.discovery.listing import discover
    from lastmile.ingestion.discovery.notifications import drain

    queue, new = platform.settings().notifications_url, 0
    if queue:
        try:
            new = drain(connection, store, contracts, queue)
            if 0 <= time.time() - float(context.cursor or 0) < _LISTING_SECONDS:
                return new
        except UserError as error:
            context.log.warning(f"listing instead: {error}")
        context.update_cursor(str(time.time()))
    return new + discover(connection, store, contracts)


def _requests(
    instance: dg.DagsterInstance, contracts: Mapping[str, Contract], waiting: Iterable[tuple[str, str, int, int]]
) -> Iterator[dg.RunRequest]:
    """One run for all years, for the months of a year and the days of a month, over every dataset with drops there and
    the same partitions: Dagster makes no run of assets whose partitions differ, if only in their start. The ledger says
    what is new, so no run key. Datasets under a backfill are left to that."""
    from lastmile.orchestration.dagster_compat.backfills import assets_under_backfill

    left = assets_under_backfill(instance)
    groups: dict[tuple[dg.PartitionsDefinition[str], str, str], list[tuple[str, str]]] = defaultdict(list)
    for dataset, partition, *_ in waiting:
        if dataset in contracts and raw_key(dataset) not in left:
            shape = contracts[dataset].partition
            tag = f"{shape.unit} from {shape.start_key()}"
            groups[partitions_of(shape), tag, _batch(shape.unit, partition)].append((dataset, partition))
    for (_, tag, batch), places in groups.items():
        yield from _requests_for_group(instance, tag, batch, places)


def _batch(unit: str, partition: str) -> str:
    return {"year": "all", "month": partition[: len("2024")], "day": partition[: len("2024-01")]}[unit]


def _requests_for_group(
    instance: dg.DagsterInstance, shape: str, batch: str, places: Sequence[tuple[str, str]]
) -> Iterator[dg.RunRequest]:
    """One run; after one has failed, for a while, one for each partition, so that what fails does not stop the rest."""
    if _has_failed(instance, f"{shape}/{batch}"):
        by_tag = {
            f"{shape}/{partition}": [place for place in places if place[1] == partition] for _, partition in places
        }
    else:
        by_tag = {f"{shape}/{batch}": list(places)}
    for tag, found in by_tag.items():
        if _may_run(instance, tag):
            datasets = dict.fromkeys(dataset for dataset, _ in found)
            keys = [key(dataset) for dataset in datasets for key in (raw_key, cleaned_key, quarantine_key)]
            yield _request(keys, sorted({partition for _, partition in found}), {PARTITION_TAG: tag})


def _has_failed(instance: dg.DagsterInstance, tag: str) -> bool:
    """Whether the last run of the tag failed and that is not long ago."""
    last = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: tag}), limit=1)
    is_failed = bool(last) and last[0].dagster_run.status == DagsterRunStatus.FAILURE
    return is_failed and _seconds_since(last[0].end_time) <= _PAUSE_SECONDS


def _request(keys: Sequence[dg.AssetKey], partitions: Sequence[str], tags: Mapping[str, str]) -> dg.RunRequest:
    """A run for the partitions from the first to the last; those between that wait for nothing are left as they are."""
    if len(partitions) == 1:
        return dg.RunRequest(asset_selection=keys, partition_key=partitions[0], tags=tags)
    return dg.RunRequest(
        asset_selection=keys,
        tags={
            **tags,
            "dagster/asset_partition_range_start": partitions[0],
            "dagster/asset_partition_range_end": partitions[-1],
        },
    )


def _may_run(instance: dg.DagsterInstance, tag: str) -> bool:
    """False while a run for the partition is under way, and for a pause after several in a row have failed."""
    last = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: tag}), limit=_FAILURES_IN_A_ROW)
    if last and not last[0].dagster_run.is_finished:
        return False
    failed = [record for record in last if record.dagster_run.status == DagsterRunStatus.FAILURE]
    if len(failed) < _FAILURES_IN_A_ROW:
        return True
    return _seconds_since(failed[0].end_time) > _PAUSE_SECONDS


def _seconds_since(end_time: float | None) -> float:
    import time

    return time.time() - (end_time or 0)


def automation_sensor(every_seconds: int) -> dg.AutomationConditionSensorDefinition:
    """Evaluates the assets' conditions; a request for many partitions becomes one backfill, hence one run."""
    return dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=every_seconds,
    )
