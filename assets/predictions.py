"""Predictions: a level for every household, also for those whose own level cannot be computed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.features import FEATURES_KEY, GROUP, HOUSEHOLD_VULNERABILITY, OWNERS, SURVEY_YEARS, TAGS, identity_columns
from assets.models import MODEL_KEY, NAME
from lastmile.learning.feature_set import FeatureSet
from lastmile.orchestration.drops.metadata import digest
from lastmile.orchestration.following import when_updated
from lastmile.orchestration.partitions import in_few_runs, partitions_of
from lastmile.orchestration.resources import Platform

PREDICTIONS_KEY = dg.AssetKey(["predictions", NAME])
TABLE = f"predictions.{NAME}"
#: Weights of the levels are equal in training, so this is not how often the level occurs.
_EVIDENCE = "Evidence for the level, were all levels equally common; the four add up to 1."


def column_schema(features: FeatureSet) -> dg.TableSchema:
    return dg.TableSchema(
        [
            *identity_columns(features),
            dg.TableColumn(features.target, "text", "Likeliest level."),
            *(dg.TableColumn(name, "double precision", _EVIDENCE) for name in features.probability_columns()),
            dg.TableColumn("model_name", "text", "Model."),
            dg.TableColumn("model_version", "text", "Its version, as in registry.model_versions."),
            dg.TableColumn("predicted_at", "timestamp with time zone", "When."),
        ]
    )


@dg.asset(
    key=PREDICTIONS_KEY,
    description="The likeliest vulnerability level of every household, and the version of the model that says so.",
    deps=[FEATURES_KEY, MODEL_KEY],
    partitions_def=partitions_of(SURVEY_YEARS),
    backfill_policy=in_few_runs(),
    # The model follows every change of the features, so waiting for it predicts once, not twice.
    automation_condition=when_updated(
        dg.AssetSelection.assets(MODEL_KEY), dg.AssetSelection.assets(MODEL_KEY, FEATURES_KEY)
    ),
    check_specs=[
        dg.AssetCheckSpec(
            "complete", asset=PREDICTIONS_KEY, description="Every household of the partition has one prediction."
        )
    ],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"postgres"},
    tags=TAGS,
    metadata={"dagster/column_schema": column_schema(HOUSEHOLD_VULNERABILITY), "dagster/table_name": TABLE},
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def vulnerability_predictions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
    from lastmile.learning.predicting import replace_predictions, wrongly_predicted
    from lastmile.learning.registry import ArtifactRefused, latest, load

    features, faults, contents = HOUSEHOLD_VULNERABILITY, [], []
    with platform.connect() as connection:
        version = latest(connection, NAME)
        if version is None:
            return _no_model()
        try:
            model = load(platform.store(), version)
        except ArtifactRefused as refused:
            raise dg.Failure(str(refused), allow_retries=False) from refused
        for partition in context.partition_keys:
            window = SURVEY_YEARS.window(partition)
            levels = replace_predictions(connection, NAME, features, version, model, window, context.run_id)
            wrong = wrongly_predicted(connection, NAME, features, window)
            faults += [f"{partition}: {wrong} households without exactly one prediction"] if wrong else []
            contents.append(f"{partition} {sorted(levels.items())}")
            context.add_asset_metadata(_metadata(features, levels, version.version), PREDICTIONS_KEY, partition)
    check = dg.AssetCheckResult(check_name="complete", passed=not faults, description="; ".join(faults) or None)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(digest([f"{NAME} {version.version}", *contents])), check_results=[check]
    )


def _no_model() -> dg.MaterializeResult[None]:
    reason = f"there is no version of the model {NAME} yet: nothing predicted"
    check = dg.AssetCheckResult(
        check_name="complete", passed=False, severity=dg.AssetCheckSeverity.WARN, description=reason
    )
    return dg.MaterializeResult(metadata={"nothing predicted": reason}, check_results=[check])


def _metadata(features: FeatureSet, levels: Mapping[str, int], version: str) -> Mapping[str, Any]:
    from lastmile.learning import plots

    counts = Counter(levels)
    rows = {"all": [counts[level] for level in features.levels]}
    picture = plots.shares("Predicted levels", rows, features.levels, plots.LEVEL_COLOURS, "households")
    return {
        "dagster/row_count": counts.total(),
        **{level: counts[level] for level in features.levels},
        "model version": version,
        **({"levels": dg.MetadataValue.md(plots.as_markdown(picture, "predicted levels"))} if counts.total() else {}),
    }


prediction_assets = [vulnerability_predictions]
