"""Predictions as assets: the target of every entity, also of those whose own is unknown, by the version in use."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pandas as pd

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Classification, Model
from lastmile.orchestration.drops.metadata import digest
from lastmile.orchestration.learning.following import when_updated
from lastmile.orchestration.learning.shared import (
    PREDICTIONS,
    RETRIES,
    champion_key,
    check,
    code_version,
    features_key,
    identity_columns,
    nothing_made,
    predictions_key,
    table_metadata,
    tags,
)
from lastmile.orchestration.partitions import in_few_runs, partitions_of
from lastmile.orchestration.pools import WAREHOUSE
from lastmile.orchestration.resources import Platform
from lastmile.telemetry.spans import span

_COMPLETE, _CHAMPION = "complete", "by_the_champion"
_CHECKS = {
    _COMPLETE: "Every entity of the partition has one prediction.",
    _CHAMPION: "The champion predicts; where its artifact cannot be used, the version in use before it does.",
}


def prediction_asset(declared: Declared[Model]) -> dg.AssetsDefinition:
    model, key = declared.value, predictions_key(declared.value.name)
    features, deployed = features_key(model.features.name), champion_key(model.name)

    @dg.asset(
        key=key,
        description=f"{model.target} of every entity of {model.features.name}, and the version that predicts it.",
        ins={"rows": dg.AssetIn(features)},
        deps=[deployed],
        partitions_def=partitions_of(model.features.partition),
        backfill_policy=in_few_runs(),
        # Of new rows the predictions are made by the run that makes these; see `chain`.
        automation_condition=when_updated(dg.AssetSelection.assets(deployed), [deployed, features], changed=True),
        check_specs=[dg.AssetCheckSpec(name, asset=key, description=text) for name, text in _CHECKS.items()],
        io_manager_key="predictions",
        pool=WAREHOUSE,
        group_name=PREDICTIONS,
        kinds={"pandas", "postgres", "parquet"},
        owners=[declared.value.owner],
        tags=tags(declared),
        code_version=code_version(declared, "predictions"),
        retry_policy=RETRIES,
        metadata=table_metadata(declared, model.table, model.features, _column_schema(model)),
    )
    def predictions(
        context: dg.AssetExecutionContext, platform: Platform, rows: pd.DataFrame
    ) -> Iterator[dg.MaterializeResult[pd.DataFrame]]:
        from lastmile.learning.frames import parquet
        from lastmile.learning.predictions.prediction import counts
        from lastmile.learning.predictions.prediction import predictions as predicted_by
        from lastmile.learning.predictions.reasons import explaining
        from lastmile.learning.registry.artifacts import ArtifactRefused
        from lastmile.learning.registry.serving import in_use

        try:
            with platform.connect() as connection:
                answering = in_use(connection, platform.store(), model)
        except ArtifactRefused as refused:
            raise dg.Failure(str(refused), allow_retries=False) from refused
        if answering is None:
            reason = f"no version of the model {model.name} is in use yet: nothing predicted"
            yield nothing_made(list(_CHECKS), "nothing predicted", reason)
            return
        version, estimator = answering.version, answering.estimator
        if gone := sorted({*version.features} - {*rows.columns}):
            reason = (
                f"version {version.version} of {model.name} needs {', '.join(gone)}, which {model.features.name} has no"
                " longer: nothing is predicted until the model is trained again"
            )
            yield nothing_made(list(_CHECKS), "nothing predicted", reason)
            return
        wanted = explaining(model, version.scores.get("importance", {}))
        background = parquet(platform.store(), version.snapshot_key, wanted)
        with span("learning.predict", model=model.name, version=version.version, rows=len(rows)):
            found = predicted_by(model, version, estimator, rows, background)
        contents = []
        for partition, window in ((name, model.features.partition.window(name)) for name in context.partition_keys):
            days = found[model.features.partition_column]
            of_partition = counts(model, found[(days >= pd.Timestamp(window[0])) & (days < pd.Timestamp(window[1]))])
            contents.append(f"{partition} {sorted(of_partition.items())}")
            context.add_asset_metadata(_metadata(model, of_partition, version.version), key, partition)
        yield dg.MaterializeResult(
            value=found,
            data_version=dg.DataVersion(digest([f"{model.name} {version.version}", *contents])),
            check_results=[
                check(_COMPLETE, _faults(model, rows, found)),
                check(_CHAMPION, [answering.instead_of] if answering.instead_of else []),
            ],
        )

    return predictions


def _column_schema(model: Model) -> dg.TableSchema:
    return dg.TableSchema(
        [
            *identity_columns(model.features),
            *_predicted_columns(model),
            dg.TableColumn(
                "reasons", "text", f"JSON: inputs that moved it most, with the effect of each on {_of(model)}."
            ),
            dg.TableColumn("model_name", "text", "Model."),
            dg.TableColumn("model_version", "text", "Its version, as in registry.model_versions."),
            dg.TableColumn("predicted_at", "timestamp with time zone", "When."),
        ]
    )


def _predicted_columns(model: Model) -> list[dg.TableColumn]:
    task, number = model.task, "double precision"
    if not isinstance(task, Classification):
        unit, held = f"; unit: {task.unit}" if task.unit else "", f"{task.coverage:.0%}"
        return [
            dg.TableColumn(model.target, number, f"Predicted{unit}."),
            dg.TableColumn(f"{model.target}_low", number, f"Lower end of the interval that holds {held} of new rows."),
            dg.TableColumn(f"{model.target}_high", number, "Its upper end."),
        ]
    text = "Evidence for the level; those of a row add up to 1."
    levels = [dg.TableColumn(name, number, text) for name in task.probability_columns()]
    yes = f"Of {task.question}: the sum of those of {', '.join(task.positive)}."
    asked = [dg.TableColumn(f"probability_{task.question}", number, yes)] if task.question else []
    return [dg.TableColumn(model.target, "text", "Predicted."), *levels, *asked]


def _of(model: Model) -> str:
    """What the effects of reasons are on."""
    if not isinstance(model.task, Classification):
        return model.target
    return f"probability_{model.task.question}" if model.task.question else "the probability of the level"


def _faults(model: Model, rows: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    """Entities of the features that have not exactly one prediction, or predictions of others."""
    entity = list(model.features.entity)
    wrong = rows[entity].value_counts().sub(found[entity].value_counts(), fill_value=0)
    count = int((wrong != 0).sum())
    return [f"{count} entities without exactly one prediction"] if count else []


def _metadata(model: Model, counts: Mapping[str, int], version: str) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"dagster/row_count": sum(counts.values()), "model version": version}
    if not isinstance(model.task, Classification):
        return shown
    from lastmile.learning import plots

    levels = {level: counts.get(level, 0) for level in model.task.levels}
    if counts:
        colours = plots.level_colours(len(levels))
        picture = plots.shares("Predicted levels", {"all": list(levels.values())}, list(levels), colours, "rows")
        shown["levels"] = dg.MetadataValue.md(plots.as_markdown(picture, "predicted levels"))
    return {**shown, **levels}
