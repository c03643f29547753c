"""What starts trainings: new rows, a score below the floor, drift, changed code, or that the last one was long ago.

Each run says why, as its tag `lastmile/cause`; trainings on request are runs of the same assets without that tag.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Model
from lastmile.orchestration.learning.champions import TRAINING_TAG
from lastmile.orchestration.learning.shared import champion_key, features_key, model_key
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.runs.cause import CAUSE_TAG, shortened

if TYPE_CHECKING:
    from psycopg import Connection

_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def retraining_sensor(
    assets: dg.AssetSelection, models: Mapping[str, Declared[Model]], every_seconds: int
) -> dg.SensorDefinition:
    """`models` are all that are declared; those that are no assets of the code location are left alone."""

    @dg.sensor(
        name="retraining",
        description="Trains models: on enough new rows, below the floor, after drift, new code, or a long time.",
        asset_selection=assets,
        minimum_interval_seconds=every_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def retraining(context: dg.SensorEvaluationContext, platform: Platform) -> Iterator[dg.RunRequest | dg.SkipReason]:
        runs = context.instance.get_runs(dg.RunsFilter(statuses=_UNDER_WAY))
        requested = 0
        with platform.connect() as connection:
            for name, declared in _loaded(context, models).items():
                if _is_idle(runs, declared.value) and (reason := _reason(connection, declared)):
                    requested += 1
                    yield _request(name, reason)
        if not requested:
            yield dg.SkipReason("nothing calls for a training")

    return retraining


def training_tags(name: str, reason: str) -> dict[str, str]:
    """Of a run that trains a model and decides about its champion."""
    return {TRAINING_TAG: name, CAUSE_TAG: shortened(reason)}


def _loaded(
    context: dg.SensorEvaluationContext, models: Mapping[str, Declared[Model]]
) -> Mapping[str, Declared[Model]]:
    if context.repository_def is None:
        return models
    keys = context.repository_def.asset_graph.get_all_asset_keys()
    return {name: model for name, model in models.items() if champion_key(name) in keys}


def _request(name: str, reason: str) -> dg.RunRequest:
    return dg.RunRequest(asset_selection=[model_key(name), champion_key(name)], tags=training_tags(name, reason))


def _is_idle(runs: Sequence[dg.DagsterRun], model: Model) -> bool:
    """Neither the model nor its features are being made, or are about to be."""
    made = {model_key(model.name), features_key(model.features.name)}
    return not any(made & (run.asset_selection or frozenset()) for run in runs)


def _reason(connection: "Connection", declared: Declared[Model]) -> str | None:
    from lastmile.learning.monitoring.verdicts import drift_reason
    from lastmile.learning.registry.trainings import due, standing

    model, found = declared.value, standing(connection, declared.value)
    if found.new:
        found = replace(found, drift=drift_reason(connection, model.name))
    return due(model, declared.code_version, found)
