"""Trained models: judged on surveys they never saw, beside a dummy, and kept as versions that say what made them.

Promotion comes later; until then the newest version is the one in use.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.features import FEATURES_KEY, GROUP, HOUSEHOLD_VULNERABILITY, OWNERS, TAGS, measures
from lastmile.learning.feature_set import FeatureSet
from lastmile.orchestration.following import when_updated
from lastmile.orchestration.resources import Platform

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.learning.registry import ModelVersion
    from lastmile.store import Store

NAME = "vulnerability"
MODEL_KEY = dg.AssetKey(["models", NAME])
#: Standard errors that a score must be above the dummy's: by luck alone one model in forty is.
_ERRORS = 2


@dg.asset(
    key=MODEL_KEY,
    description="Tells a household's vulnerability level; judged on surveys it never saw, beside a dummy.",
    deps=[FEATURES_KEY],
    automation_condition=when_updated(dg.AssetSelection.assets(FEATURES_KEY)),
    check_specs=[
        dg.AssetCheckSpec(
            "beats_the_dummy", asset=MODEL_KEY, description="Every score is above a dummy's, not by luck."
        )
    ],
    group_name=GROUP,
    owners=OWNERS,
    kinds={"scikitlearn"},
    tags=TAGS,
    metadata={"dagster/table_name": "registry.model_versions"},
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
)
def vulnerability_model(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
    from lastmile.learning.training import TooLittleData

    store = platform.store()
    with platform.connect() as connection:
        try:
            _refuse_leaks(HOUSEHOLD_VULNERABILITY, platform)
            version = current_version(connection, store, HOUSEHOLD_VULNERABILITY, context.run_id)
        except TooLittleData as reason:
            context.log.warning(f"no model trained: {reason}")
            return _nothing_trained(str(reason))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.version),
        metadata=_metadata(HOUSEHOLD_VULNERABILITY, version, store.url),
        check_results=[_beats_the_dummy(version)],
    )


def current_version(connection: "Connection", store: "Store", features: FeatureSet, run_id: str) -> "ModelVersion":
    """The version that the features as they are now make: the newest one where it is that, else a new one.

    Raises TooLittleData where there is not enough to learn from.
    """
    import polars as pl

    from lastmile.learning import feature_table, registry
    from lastmile.learning.evaluating import train_and_judge
    from lastmile.learning.training import recipe
    from lastmile.ledger import loaded_ids

    rows = feature_table.rows(connection, features).filter(pl.col(features.target).is_not_null())
    made_of = {"recipe": recipe(features), "rows": feature_table.content(rows)}
    newest = registry.latest(connection, NAME)
    if newest and newest.made_from(made_of["rows"], made_of["recipe"]):
        return newest
    model, evaluation = train_and_judge(features, rows)
    candidate = registry.Candidate(
        name=NAME,
        model=model,
        feature_set=features.name,
        features=features.names(),
        data_versions={
            **made_of,
            "row_count": rows.height,
            "partitions": feature_table.contents(features, rows),
            "drops": loaded_ids(connection, store.url, features.datasets),
        },
        scores=evaluation.as_json(),
        run_id=run_id,
    )
    return registry.register(connection, store, candidate)


def _refuse_leaks(features: FeatureSet, platform: Platform) -> None:
    from lastmile.learning.leakage import derived_inputs

    if leaks := derived_inputs(features, measures(platform)):
        raise dg.Failure(
            f"not trained: inputs derived from what makes the level: {leaks}; take them out of {features.name}",
            allow_retries=False,
        )


def _nothing_trained(reason: str) -> dg.MaterializeResult[None]:
    """Still a materialization: a backfill waits for ever for an asset that a successful run left out."""
    check = dg.AssetCheckResult(
        check_name="beats_the_dummy", passed=False, severity=dg.AssetCheckSeverity.WARN, description=reason
    )
    return dg.MaterializeResult(metadata={"nothing trained": reason}, check_results=[check])


def _beats_the_dummy(version: "ModelVersion") -> dg.AssetCheckResult:
    scores, dummy = version.scores, version.scores["dummy"]
    lead = {name: scores[name] - dummy[name] for name in dummy}
    needed = {name: _ERRORS * scores["error"].get(name, 0) for name in dummy}
    faults = [
        f"{name} is {scores[name]:.3f}, the dummy's {dummy[name]:.3f}; it must be more than {needed[name]:.3f} above"
        for name in dummy
        if lead[name] <= needed[name]
    ]
    return dg.AssetCheckResult(
        check_name="beats_the_dummy", passed=not faults, description="; ".join(faults) or None, metadata=lead
    )


def _metadata(features: FeatureSet, version: "ModelVersion", store: str) -> Mapping[str, Any]:
    from lastmile.learning import plots

    scores, made_of = version.scores, version.data_versions
    recall = {level: scores["recall"][level] for level in features.levels if level in scores["recall"]}
    beside = [
        dg.TableRecord({"score": name, "model": round(scores[name], 3), "dummy": round(value, 3)})
        for name, value in scores["dummy"].items()
    ]
    recognised = [dg.TableRecord({"level": level, "recognised": round(share, 3)}) for level, share in recall.items()]
    confusion = plots.as_markdown(plots.confusion(features.levels, scores["confusion"]), "confusion matrix")
    importance = plots.as_markdown(plots.importance(scores["importance"]), "feature importance")
    return {
        "version": version.version,
        "trained on rows": made_of["row_count"],
        "judged on": "{groups} surveys in {folds} folds, none on both sides".format(**scores["judged_on"]),
        "scores beside the dummy's": dg.MetadataValue.table(beside),
        "recall by level": dg.MetadataValue.table(recognised),
        "confusion matrix": dg.MetadataValue.md(confusion),
        "feature importance": dg.MetadataValue.md(importance),
        "artifact": dg.MetadataValue.url(f"{store}/{version.artifact_key}"),
        "sha256": version.sha256,
        "data versions": dg.MetadataValue.json(made_of),
    }


model_assets = [vulnerability_model]
