"""What the checks of drops say follows the ledger also where no run does.

A drop that no contract fits fails when it is found, and a decision to discard one is carried out at once: neither is a
run, which the checks come with otherwise. So a sensor looks at what the ledger says has happened outside of runs.
"""

import dagster as dg

from lastmile.orchestration.drops.assets import cleaned_key, quarantine_key
from lastmile.orchestration.drops.checks import ledger_results
from lastmile.orchestration.resources import Platform


def verdict_sensor(every_seconds: int) -> dg.SensorDefinition:
    @dg.sensor(
        name="verdicts",
        description="Makes the checks of drops anew after what is decided or fails outside of runs.",
        minimum_interval_seconds=every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def verdicts(context: dg.SensorEvaluationContext, platform: Platform) -> dg.SkipReason:
        from lastmile.ledger.query import changed_outside_runs

        contracts, store = platform.contracts(), platform.store().url
        with platform.connect() as connection:
            newest, datasets = changed_outside_runs(connection, store, int(context.cursor or 0))
            for dataset in (name for name in datasets if name in contracts):
                keys = cleaned_key(dataset), quarantine_key(dataset)
                for found in ledger_results(connection, store, contracts[dataset], *keys):
                    context.instance.report_runless_asset_event(_event(found))
        context.update_cursor(str(newest))
        return dg.SkipReason(f"checked anew: {', '.join(datasets)}" if datasets else "nothing changed outside of runs")

    return verdicts


def _event(found: dg.AssetCheckResult) -> dg.AssetCheckEvaluation:
    if found.asset_key is None or found.check_name is None:
        raise ValueError("expected a verdict that names its asset and its check")
    return dg.AssetCheckEvaluation(
        asset_key=found.asset_key,
        check_name=found.check_name,
        passed=found.passed,
        metadata=found.metadata,
        severity=found.severity,
        description=found.description,
    )
