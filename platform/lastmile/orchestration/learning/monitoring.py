"""Monitoring as assets: each partition next to what the champion was trained on, with checks that name what changed."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from dagster import AutomationCondition as When

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Model
from lastmile.orchestration.learning.following import when_updated
from lastmile.orchestration.learning.shared import (
    MONITORING,
    RETRIES,
    code_version,
    features_key,
    monitoring_key,
    predictions_key,
    source_code,
    tags,
)
from lastmile.orchestration.partitions import in_few_runs, partitions_of
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.runs.cause import BY_AUTOMATION

if TYPE_CHECKING:
    from lastmile.learning.monitoring.drift import Drift
    from lastmile.learning.monitoring.monitored import Monitored

CHECKS = {
    "features_drifted": "Inputs are distributed as in the rows that the champion was trained on.",
    "predictions_drifted": "Predictions are distributed as those for rows like the ones it was trained on.",
    "performance_fell": "On rows that it was not trained on the champion is as good as in its evaluation.",
}
#: Distributions that are drawn, of the inputs that drifted most; and inputs whose drift is drawn.
_DISTRIBUTIONS, _INPUTS_SHOWN = 3, 20


def monitoring_asset(declared: Declared[Model]) -> dg.AssetsDefinition:
    model, key = declared.value, monitoring_key(declared.value.name)
    features, predicted = features_key(model.features.name), predictions_key(model.name)
    follows = dg.AssetSelection.assets(predicted)
    # In the run that predicts, where automation or drops led to it: a run of its own costs more than it does.
    together = When.any_deps_match(When.will_be_requested()).allow(follows)
    by_automation = When.all_new_updates_have_run_tags(tag_keys={BY_AUTOMATION})
    apart = when_updated(follows, [predicted, features], along=by_automation)

    @dg.asset(
        key=key,
        description=f"Drift of {model.features.name} and of its predictions, and performance, by partition.",
        ins={"rows": dg.AssetIn(features)},
        deps=[predicted],
        partitions_def=partitions_of(model.features.partition),
        backfill_policy=in_few_runs(),
        automation_condition=together | apart,
        check_specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in CHECKS.items()],
        pool=WAREHOUSE,
        group_name=MONITORING,
        kinds={"pandas", "postgres"},
        owners=[declared.value.owner],
        tags=tags(declared),
        code_version=code_version(declared, "monitoring"),
        retry_policy=RETRIES,
        metadata={**source_code(declared), "dagster/table_name": "registry.monitoring"},
    )
    def monitoring(
        context: dg.AssetExecutionContext, platform: Platform, rows: pd.DataFrame
    ) -> Iterator[dg.MaterializeResult[None]]:
        from lastmile.learning.monitoring.monitored import monitor
        from lastmile.learning.monitoring.records import record, scores
        from lastmile.learning.monitoring.reference import predictions_by, reference, within
        from lastmile.learning.registry.deployments import champion

        faults: dict[str, list[str]] = {name: [] for name in CHECKS}
        store, column = platform.store(), model.features.partition_column
        with platform.connect() as connection:
            version = champion(connection, model.name)
            if version is None or {*model.inputs} - {*rows.columns}:
                reason = f"no version of {model.name} predicts these rows yet: nothing to compare with"
                yield _not_monitored(reason)
                return
            compared_with = reference(model, version, store)
            found_predictions = predictions_by(model, version, store, context.partition_keys)
            for partition in context.partition_keys:
                window = model.features.partition.window(partition)
                parts = within(rows, column, window), within(found_predictions, column, window)
                found = monitor(model, version, compared_with, *parts, window)
                record(connection, model.name, window, found, context.run.run_id)
                for name, said in _said(found).items():
                    faults[name] += [f"{partition}: {said}"] if said else []
                earlier = scores(connection, model.name, model.compared_by)
                context.add_asset_metadata(_metadata(found, earlier), key, partition)
        yield dg.MaterializeResult(check_results=[_check(name, said) for name, said in faults.items()])

    return monitoring


def _said(found: "Monitored") -> Mapping[str, str | None]:
    """What each check has to say."""
    predictions, judged = found.predictions, found.performance
    return {
        "features_drifted": ", ".join(one.words for one in found.drifted) or None,
        "predictions_drifted": predictions.words if predictions and predictions.drifted else None,
        "performance_fell": judged.words if judged and judged.fell else None,
    }


def _check(name: str, said: list[str]) -> dg.AssetCheckResult:
    warn = dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(check_name=name, passed=not said, severity=warn, description="; ".join(said) or None)


def _not_monitored(reason: str) -> dg.MaterializeResult[None]:
    """Still a materialization, since a backfill waits for it; that nothing is predicted is for predictions to say."""
    passed = [dg.AssetCheckResult(check_name=name, passed=True, description=reason) for name in CHECKS]
    return dg.MaterializeResult(metadata={"not monitored": reason}, check_results=passed)


def _metadata(found: "Monitored", earlier: Mapping[str, float]) -> Mapping[str, Any]:
    shown: dict[str, Any] = {
        "dagster/row_count": found.rows,
        "model version": found.version,
        "rows compared with": found.compared_with,
        "labelled rows new to the model": found.new,
        "inputs that drifted": ", ".join(one.words for one in found.drifted) or "none",
    }
    if found.performance:
        shown["performance"] = found.performance.words
    return {**shown, **{title: _markdown(svg, title) for title, svg in _pictures(found, earlier).items()}}


def _pictures(found: "Monitored", earlier: Mapping[str, float]) -> Mapping[str, bytes]:
    from lastmile.learning import plots

    drawn = {}
    if found.inputs:
        psi = {one.name: (one.psi, one.critical_psi) for one in found.inputs[:_INPUTS_SHOWN]}
        described = "population stability index; mark: by luck above it in one case of twenty"
        drawn["drift of inputs"] = plots.against_limits("Drift of inputs", psi, described)
    worst = [*found.drifted[:_DISTRIBUTIONS], *([found.predictions] if found.predictions else [])]
    drawn |= {one.name: plots.then_and_now(one.name, *_bins(one)) for one in worst}
    judged = found.performance
    if judged and earlier:
        expected = {day: (score, judged.expected) for day, score in earlier.items()}
        described = "on rows that the model was not trained on; mark: in evaluation"
        drawn["performance"] = plots.against_limits(f"{judged.metric} by partition", expected, described)
    return {f"{title} (picture)": svg for title, svg in drawn.items()}


def _bins(one: "Drift") -> tuple[list[str], list[float], list[float]]:
    """Labels and shares of all rows, the missing ones last."""
    known_then, known_now = 1 - one.missing_then, 1 - one.missing_now
    then = [*(share * known_then for share in one.then), one.missing_then]
    now = [*(share * known_now for share in one.now), one.missing_now]
    return [*one.labels, "(missing)"], then, now


def _markdown(svg: bytes, title: str) -> dg.MarkdownMetadataValue:
    from lastmile.learning.plots import as_markdown

    return dg.MetadataValue.md(as_markdown(svg, title))
