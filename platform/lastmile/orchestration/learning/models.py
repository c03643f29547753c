"""Models as assets: evaluated on what they never saw, next to a dummy, and kept as versions that say what made them.

Promotion comes later; until then the newest version is the one in use.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Classification, Model
from lastmile.orchestration.chain import OWN_RUN
from lastmile.orchestration.learning.features import measures
from lastmile.orchestration.learning.following import AT_MOST_EVERY_MINUTE, when_updated
from lastmile.orchestration.learning.shared import (
    GROUP,
    RETRIES,
    code_version,
    features_key,
    model_key,
    nothing_made,
    source_code,
    tags,
)
from lastmile.orchestration.pools import TRAINING
from lastmile.orchestration.resources import Platform

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.learning.registry.versions import ModelVersion
    from lastmile.store import Store

#: Standard errors that a score must be above the dummy's: by luck alone one model in forty is.
_ERRORS = 2
#: The newest of the drops that a version was made from; the registry has all.
_DROPS_SHOWN = 20
_CHECK = "beats_the_dummy"


def model_asset(declared: Declared[Model]) -> dg.AssetsDefinition:
    model, key = declared.value, model_key(declared.value.name)
    features = features_key(model.features.name)

    @dg.asset(
        key=key,
        description=model.description,
        ins={"rows": dg.AssetIn(features)},
        automation_condition=when_updated(dg.AssetSelection.assets(features), new=True, at=AT_MOST_EVERY_MINUTE),
        check_specs=[
            dg.AssetCheckSpec(_CHECK, asset=key, description="Every score is better than a dummy's, not by luck.")
        ],
        group_name=GROUP,
        pool=TRAINING,
        kinds={"scikitlearn"},
        owners=[declared.value.owner],
        tags={**tags(declared), **OWN_RUN},
        code_version=code_version(declared, "models"),
        retry_policy=RETRIES,
        metadata={**source_code(declared), "dagster/table_name": "registry.model_versions"},
    )
    def trained_model(
        context: dg.AssetExecutionContext, platform: Platform, rows: pd.DataFrame
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
        from lastmile.learning.registry import deployments
        from lastmile.learning.training.folds import TooLittleData

        store = platform.store()
        with platform.connect() as connection:
            _refuse_leaks(connection, model, platform, rows)
            try:
                version = current_version(connection, store, declared, rows, context.run.run_id)
                in_use = deployments.champion(connection, model.name)
                cause = deployments.Cause("the newest version", "lastmile", context.run.run_id)
                deployments.promote(connection, version, in_use.version if in_use else None, cause)
            except TooLittleData as reason:
                context.log.warning(f"no model trained: {reason}")
                return nothing_made(_CHECK, "nothing trained", str(reason))
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version.version),
            metadata=_metadata(model, version, store.url),
            check_results=[_beats_the_dummy(version)],
        )

    return trained_model


def current_version(
    connection: "Connection", store: "Store", declared: Declared[Model], rows: pd.DataFrame, run_id: str
) -> "ModelVersion":
    """The version that these rows make: the newest one where it is that, else a new one.

    Raises TooLittleData where there is not enough to learn from.
    """
    from lastmile.learning.evaluation.evaluation import train_and_evaluate
    from lastmile.learning.frames import content, contents
    from lastmile.learning.registry import versions as registry
    from lastmile.learning.training.fitting import labelled, recipe
    from lastmile.ledger import loaded_ids

    model = declared.value
    known = labelled(model, rows)
    made_of = {"recipe": recipe(model, declared.code_version), "rows": content(known)}
    newest = registry.latest(connection, model.name)
    if newest and newest.made_from(made_of["rows"], made_of["recipe"]):
        return newest
    drops = loaded_ids(connection, store.url, model.features.datasets)  # before others come while it is trained
    trained = train_and_evaluate(model, known)
    candidate = registry.Candidate(
        name=model.name,
        estimator=trained.estimator,
        feature_set=model.features.name,
        features=model.inputs,
        data_versions={
            **made_of,
            "row_count": len(known),
            "partitions": contents(known, model.features.partition_column),
            "drops": drops,
        },
        scores=trained.evaluation.as_json(),
        run_id=run_id,
        trusted=model.trusted,
    )
    return registry.register(connection, store, candidate)


def _refuse_leaks(connection: "Connection", model: Model, platform: Platform, rows: pd.DataFrame) -> None:
    from lastmile.learning.features.building import sources_of
    from lastmile.learning.features.leakage import derived_inputs, sample

    frames = sources_of(connection, model.features, sample(model.features, rows))
    if leaks := derived_inputs(model.features, measures(platform), frames):
        raise dg.Failure(
            f"not trained: inputs derived from what makes the target: {leaks}; take them out of {model.features.name}",
            allow_retries=False,
        )


def _beats_the_dummy(version: "ModelVersion") -> dg.AssetCheckResult:
    from lastmile.learning.evaluation.metrics import higher_is_better

    scores, dummy = version.scores, version.scores["dummy"]
    lead = {name: (scores[name] - dummy[name]) * (1 if higher_is_better(name) else -1) for name in dummy}
    needed = {name: _ERRORS * scores["error"].get(name, 0) for name in dummy}
    faults = [
        f"{name} is {scores[name]:.3f}, the dummy's {dummy[name]:.3f}; it must be more than {needed[name]:.3f} better"
        for name in dummy
        if lead[name] <= needed[name]
    ]
    return dg.AssetCheckResult(
        check_name=_CHECK, passed=not faults, description="; ".join(faults) or None, metadata=lead
    )


def _metadata(model: Model, version: "ModelVersion", store: str) -> Mapping[str, Any]:
    from lastmile.learning import plots

    scores, made_of = version.scores, version.data_versions
    compared = [
        dg.TableRecord({"score": name, "model": round(scores[name], 3), "dummy": round(value, 3)})
        for name, value in scores["dummy"].items()
    ]
    importance = plots.as_markdown(plots.importance(scores["importance"]), "feature importance")
    return {
        "version": version.version,
        "trained on rows": made_of["row_count"],
        "evaluated on": f"{{groups}} {model.features.group} in {{folds}} folds".format(**scores["judged_on"]),
        "scores next to the dummy's": dg.MetadataValue.table(compared),
        **(_of_levels(model.task, scores) if isinstance(model.task, Classification) else {}),
        "feature importance": dg.MetadataValue.md(importance),
        "artifact": dg.MetadataValue.url(f"{store}/{version.artifact_key}"),
        "sha256": version.sha256,
        "made from drops": _newest(made_of["drops"]),
        "data versions": dg.MetadataValue.json({name: made for name, made in made_of.items() if name != "drops"}),
    }


def _newest(drops: Sequence[int]) -> str:
    """How many drops, and the newest of them; `data_versions` of `registry.model_versions` has all."""
    newest = ", ".join(map(str, sorted(drops, reverse=True)[:_DROPS_SHOWN]))
    return f"{len(drops):,}: {newest}{', ...' if len(drops) > _DROPS_SHOWN else ''}"


def _of_levels(task: Classification, scores: Mapping[str, Any]) -> Mapping[str, Any]:
    from lastmile.learning import plots

    recall = {level: scores["recall"][level] for level in task.levels if level in scores["recall"]}
    recognised = [dg.TableRecord({"level": level, "recognised": round(share, 3)}) for level, share in recall.items()]
    confusion = plots.as_markdown(plots.confusion(task.levels, scores["confusion"]), "confusion matrix")
    return {
        "recall by level": dg.MetadataValue.table(recognised),
        "confusion matrix": dg.MetadataValue.md(confusion),
    }
