"""A dataset that nothing comes in for is found stale, though no run looks at it.

The check `fresh` is made when drops are taken, which is just when a dataset is not stale. In between a sensor looks,
and writes a verdict without a run where it has changed.
"""

import json

import dagster as dg

from lastmile.orchestration.drops.assets import cleaned_key
from lastmile.orchestration.drops.checks import fresh_result
from lastmile.orchestration.resources import Platform


def freshness_sensor(every_seconds: int) -> dg.SensorDefinition:
    @dg.sensor(
        name="freshness",
        description="Says in the check `fresh` of a dataset when it has become stale.",
        minimum_interval_seconds=every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def freshness(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
        stale, told = set[str](), set[str](json.loads(context.cursor or "[]"))
        url = platform.store().url
        with platform.connect() as connection:
            for name, contract in platform.contracts().items():
                result = fresh_result(connection, url, contract, cleaned_key(name))
                if not result.passed:
                    stale.add(name)
                if result.passed == (name in told):
                    context.instance.report_runless_asset_event(_told(cleaned_key(name), result))
        context.update_cursor(json.dumps(sorted(stale)))
        return dg.SkipReason(f"stale: {', '.join(sorted(stale)) or 'none'}")

    return freshness


def _told(cleaned: dg.AssetKey, result: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        cleaned,
        "fresh",
        result.passed,
        severity=result.severity,
        description=result.description,
        metadata=result.metadata,
    )
