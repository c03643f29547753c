"""What happens by itself: a sensor turns pending drops into runs, automation carries their rows on to the report."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from lastmile.contracts.broken import Broken
from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.orchestration.drops.assets import raw_key
from lastmile.orchestration.drops.causes import with_causes
from lastmile.orchestration.drops.requests import Place, run_requests
from lastmile.orchestration.placeholders import verdicts
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.unrouted import UnroutedReport
from lastmile.telemetry.spans import span

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.store import Store

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
        from lastmile.ledger.backlog import arrivals

        for verdict in unreported:
            context.instance.report_runless_asset_event(verdict)
        contracts, store = platform.contracts(), platform.store()
        with span("run.tick", sensor="landing") as done:
            with platform.connect() as connection:
                new = _register_new_drops(context, platform, connection, store, contracts)
                waiting = refuse_unroutable(connection, store.url, contracts, pending(connection, store.url))
                report.update(context.instance, connection, store.url, contracts)

                def found(places: Sequence[Place]) -> tuple[datetime, datetime] | None:
                    return arrivals(connection, store.url, places)

                graph = context.repository_def.asset_graph if context.repository_def else None
                requests = list(run_requests(context.instance, graph, _loaded(context, contracts), waiting, found))
            left = sum(count for *_, count, _ in waiting)
            caused = list(with_causes(platform, requests[:_MOST_RUNS]))
            done(new=new, pending=left, runs=len(caused))
        context.log.info(f"{new} new drops, {left} pending")
        yield from caused
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


def automation_sensor(every_seconds: int) -> dg.AutomationConditionSensorDefinition:
    """Evaluates the assets' conditions; a request for many partitions becomes one backfill, hence one run."""
    return dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=every_seconds,
    )
