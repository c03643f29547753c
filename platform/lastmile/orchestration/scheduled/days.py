"""The figures of each day as an asset by day, and the schedule that makes what is over, was missed, or has changed."""

from datetime import date, timedelta

import dagster as dg

from lastmile.orchestration.learning.shared import RETRIES
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform

DAYS_KEY = dg.AssetKey(["operations", "days"])
#: No installation has found a drop before.
_FIRST = "2026-01-01"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dg.asset(
    key=DAYS_KEY,
    description="Of each day, drops and rows by dataset and partition, and predictions by level: figures.*.",
    partitions_def=dg.DailyPartitionsDefinition(_FIRST),
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="operations",
    kinds={"postgres"},
    retry_policy=RETRIES,
    pool=WAREHOUSE,
    metadata={"dagster/table_name": "figures.drops"},
)
def daily_figures(context: dg.AssetExecutionContext, platform: Platform) -> None:
    from lastmile.operations.days import aggregate

    store = platform.store().url
    with platform.connect() as connection:
        for key in context.partition_keys:
            found = aggregate(connection, store, date.fromisoformat(key), context.run.run_id)
            context.add_asset_metadata(found, partition_key=key)


@dg.schedule(
    target=daily_figures,
    cron_schedule="40 0 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: the day that is over, days that were missed, and days whose drops have changed.",
)
def nightly_figures(context: dg.ScheduleEvaluationContext, platform: Platform) -> list[dg.RunRequest] | dg.SkipReason:
    from lastmile.operations.days import due

    with platform.connect() as connection:
        days = due(connection, platform.store().url, context.scheduled_execution_time.date())
    if not days:
        return dg.SkipReason("every day that is over is aggregated, and no drop has changed since")
    spans = _spans([day for day in days if day.isoformat() >= _FIRST])
    return [
        dg.RunRequest(tags=dict(zip(_RANGE, (first.isoformat(), last.isoformat()), strict=True)))
        for first, last in spans
    ]


def _spans(days: list[date]) -> list[tuple[date, date]]:
    """Days in a row are one run."""
    spans: list[tuple[date, date]] = []
    for day in sorted(days):
        if spans and day - spans[-1][1] == timedelta(days=1):
            spans[-1] = (spans[-1][0], day)
        else:
            spans.append((day, day))
    return spans
