"""Candidates as assets: a version for each state of the features, judged in the open, next to a dummy and the champion.

What the judgement leads to is the champion's business; see `champions`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Classification, Model
from lastmile.orchestration.chain import OWN_RUN
from lastmile.orchestration.learning.features import leaks
from lastmile.orchestration.learning.shared import (
    CANDIDATES,
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
from lastmile.orchestration.runs.cause import CAUSE_TAG

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.learning.registry.judgements import Judged
    from lastmile.learning.registry.versions import ModelVersion

#: Standard errors that a score must be above the dummy's: by luck alone one model in forty is.
_ERRORS = 2
#: The newest of the drops that a version was made from; the registry has all.
_DROPS_SHOWN = 20
_BEATS, _BETTER, _TRUSTED = "beats_the_dummy", "better_than_the_champion", "nothing_suspect"
_CHECKS = {
    _BEATS: "The score that versions are compared by is better than a dummy's, not by luck.",
    _BETTER: "On rows that neither saw it is better than the champion, not by luck, and promoted; else it is archived.",
    _TRUSTED: "No jump in score, label shares or rows that a person should look at before the version is used.",
}


def model_asset(declared: Declared[Model]) -> dg.AssetsDefinition:
    model, key = declared.value, model_key(declared.value.name)
    features = features_key(model.features.name)

    @dg.asset(
        key=key,
        description=model.description,
        ins={"rows": dg.AssetIn(features)},
        check_specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in _CHECKS.items()],
        group_name=CANDIDATES,
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
        from lastmile.learning.cards.card import keep
        from lastmile.learning.registry import trainings
        from lastmile.learning.registry.events import Cause
        from lastmile.learning.training.candidates import train
        from lastmile.learning.training.folds import TooLittleData

        cause = Cause(context.run.tags.get(CAUSE_TAG, "requested by hand"), "lastmile", context.run.run_id)
        with platform.connect() as connection:
            training = trainings.begin(connection, model, cause.reason, cause.run_id)
            try:
                if len(rows):
                    _refuse_leaks(connection, model, platform, rows)
                version, judged = train(connection, platform.store(), declared, rows, cause)
                card = keep(connection, platform.store(), model, version)
            except TooLittleData as reason:
                context.log.warning(f"no model trained: {reason}")
                trainings.end(connection, training, f"nothing trained: {reason}", None)
                return nothing_made(list(_CHECKS), "nothing trained", str(reason))
            except Exception as error:
                trainings.end(connection, training, f"failed: {error}", None)
                raise
            _mirror(context, platform, version)
            trainings.end(connection, training, f"{judged.decision}: {'; '.join(judged.reasons)}", version.version)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version.version),
            metadata={
                "reason": cause.reason,
                "model card": dg.MetadataValue.url(card),
                **_metadata(model, version, judged, platform.store().url),
            },
            check_results=[_beats_the_dummy(model, version), *_judgement(judged)],
        )

    return trained_model


def _refuse_leaks(connection: "Connection", model: Model, platform: Platform, rows: pd.DataFrame) -> None:
    """Raises Failure where an input of the model gives its target away."""
    made, given_away = leaks(connection, platform, model.features, rows, model.never)
    if found := {name: why for name, why in {**given_away, **made}.items() if name in model.inputs}:
        raise dg.Failure(
            f"not trained: {'; '.join(f'{name} {why}' for name, why in found.items())}. Take them out of"
            f" {model.features.name}, or name them in the model's `never`.",
            allow_retries=False,
        )


def _mirror(context: dg.AssetExecutionContext, platform: Platform, version: "ModelVersion") -> None:
    """Copy the version to MLflow, where one is configured; that it cannot be fails nothing."""
    from lastmile.errors import UserError
    from lastmile.learning.registry.mirror import mirror

    if url := platform.settings().mlflow_url:
        try:
            why = mirror(url, version, platform.store().read(version.artifact_key))
        except UserError as error:
            why = str(error)
        if why:
            context.log.warning(f"version {version.version} is not in MLflow: {why}")


def _judgement(judged: "Judged") -> list[dg.AssetCheckResult]:
    """That it is not better is no fault of anything; that it is suspect calls for a person."""
    said, decision = "; ".join(judged.reasons), judged.decision
    metadata: dict[str, Any] = {
        "decision": decision,
        "against": judged.against or "no champion",
        "comparison": judged.comparison,
    }
    return [
        dg.AssetCheckResult(
            check_name=_BETTER,
            passed=decision == "promote",
            severity=dg.AssetCheckSeverity.WARN,
            description=said,
            metadata=metadata,
        ),
        dg.AssetCheckResult(
            check_name=_TRUSTED, passed=decision != "suspect", description=said if decision == "suspect" else None
        ),
    ]


def _beats_the_dummy(model: Model, version: "ModelVersion") -> dg.AssetCheckResult:
    """By the score that versions are compared by; the others are shown with it."""
    from lastmile.learning.evaluation.metrics import gain

    scores, dummy, name = version.scores, version.scores["dummy"], model.compared_by
    lead = {metric: gain(metric, scores[metric], value) for metric, value in dummy.items()}
    needed = _ERRORS * scores["error"].get(name, 0)
    said = f"{name} is {scores[name]:.3f}, the dummy's {dummy[name]:.3f}; it must be more than {needed:.3f} better"
    passed = lead[name] > needed
    return dg.AssetCheckResult(check_name=_BEATS, passed=passed, description=None if passed else said, metadata=lead)


def _metadata(model: Model, version: "ModelVersion", judged: "Judged", store: str) -> Mapping[str, Any]:
    from lastmile.learning import plots

    scores, made_of = version.scores, version.data_versions
    compared = [
        dg.TableRecord({"score": name, "model": round(scores[name], 3), "dummy": round(value, 3)})
        for name, value in scores["dummy"].items()
    ]
    importance = plots.as_markdown(plots.importance(scores["importance"]), "feature importance")
    return {
        "version": version.version,
        "decision": judged.decision,
        "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in judged.reasons)),
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
