"""What is found of a partition: drift of inputs and predictions, performance, and what of it is new to the champion."""

from dataclasses import dataclass

import pandas as pd

from lastmile.learning.declarations.model import Model
from lastmile.learning.monitoring.drift import FEWEST_ROWS, Drift, drift
from lastmile.learning.monitoring.performance import Performance, performance
from lastmile.learning.monitoring.reference import Reference, answers, outside, unseen
from lastmile.learning.registry.versions import ModelVersion
from lastmile.learning.relations import Window


@dataclass(frozen=True)
class Monitored:
    """`new` counts labelled rows that the champion was not trained on: with none, training again changes nothing."""

    version: str
    rows: int
    compared_with: int
    new: int
    inputs: list[Drift]
    predictions: Drift | None
    performance: Performance | None

    @property
    def drifted(self) -> list[Drift]:
        return [one for one in self.inputs if one.drifted]


def monitor(
    model: Model, version: ModelVersion, reference: Reference, rows: pd.DataFrame, predicted: pd.DataFrame,
    window: Window,
) -> Monitored:  # fmt: skip
    """Of the partition's rows and the champion's predictions for them."""
    features = model.features
    others, group = outside(reference.rows, features.partition_column, window), features.group
    new = unseen(model, reference, rows, window)
    found = drift(rows[model.inputs], others[model.inputs], rows[group], _groups(model, others)) if len(others) else []
    return Monitored(
        version=version.version,
        rows=len(rows),
        compared_with=len(others),
        new=len(new),
        inputs=found,
        predictions=_of_predictions(model, reference, rows, predicted, window),
        performance=performance(model, version.scores, new, predicted),
    )


def _of_predictions(
    model: Model, reference: Reference, rows: pd.DataFrame, predicted: pd.DataFrame, window: Window
) -> Drift | None:
    """Against what evaluation predicted for unseen rows, and so for labelled ones; where that was not kept, or few rows
    are labelled, against the predictions of other partitions."""
    features, then, now = model.features, reference.held_out, predicted
    known = rows[rows[model.target].notna()][list(features.entity)]
    if then is not None and len(now) and len(known) >= FEWEST_ROWS:
        then = outside(then, features.partition_column, window)
        then, now = then.assign(**{model.target: answers(model, then)}), predicted.merge(known)
    else:
        then = outside(reference.predicted, features.partition_column, window)
    if not len(then) or not len(now):
        return None
    found = drift(now[[model.target]], then[[model.target]], now[features.group], _groups(model, then))
    return found[0] if found else None


def _groups(model: Model, rows: pd.DataFrame) -> pd.Series:
    """The group of each row in its partition."""
    number = rows.groupby([model.features.group, model.features.partition_column], sort=False).ngroup()
    return number.where(number >= 0)
