"""How much a few labels of a new group help, tried on groups whose labels are all known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lastmile.errors import UserError
from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.estimators.calibration import ErrorParts, Floats, Shift
from lastmile.learning.evaluation.metrics import probability_of_yes
from lastmile.learning.training.fitting import SEED, fit, inputs, labelled, learned, one_thread
from lastmile.learning.training.folds import folds

#: Rows that must be left of a group to score on, and draws of labels from each group.
_FEWEST_LEFT, _DRAWS = 10, 20


@dataclass(frozen=True)
class Gain:
    """Mean absolute error of the logarithm, on rows whose labels were not used, of groups alike, before and after."""

    labels: int
    groups: int
    before: float
    after: float


def numbers(model: Model, estimator: Any, rows: pd.DataFrame) -> Floats:
    """The number predicted for each row, also by an estimator that makes levels of it."""
    regressor = estimator.regressor_ if model.learns_from else estimator
    with one_thread():
        found: Floats = np.asarray(regressor.predict(inputs(model.features, rows, model.inputs)), dtype=np.float64)
    return found


def errors(model: Model, rows: pd.DataFrame) -> Floats:
    """Of each labelled row, the logarithm of its number over what is predicted by a model that did not see its group;
    zero and what is below counts as a thousandth of the prediction. Raises TooLittleData."""
    found, truth = np.empty(len(rows)), learned(model, rows)
    for training, unseen in folds(model, rows):
        predicted = numbers(model, fit(model, rows.iloc[training]), rows.iloc[unseen])
        found[unseen] = np.log(np.clip(truth[unseen] / predicted, 1e-3, 1e3))
    return found


def gains(found: Floats, groups: NDArray[Any], labels: Sequence[int]) -> list[Gain]:
    """For so many labels each, from the errors of rows: labels are drawn from each group that has enough rows."""
    return [_gain(found, groups, count) for count in labels if next(_members(groups, count), None) is not None]


def _gain(found: Floats, groups: NDArray[Any], labels: int) -> Gain:
    random, before, after = np.random.default_rng(SEED), [], []
    for members in _members(groups, labels):
        others = np.ones(len(found), dtype=bool)
        others[members] = False
        parts = ErrorParts.of(found[others], groups[others])
        for _ in range(_DRAWS):
            known, rest = np.split(random.permutation(found[members]), [labels])
            before.append(np.abs(rest).mean())
            after.append(np.abs(rest - parts.shift(known).shift).mean())
    return Gain(labels, len(before) // _DRAWS, float(np.mean(before)), float(np.mean(after)))


def _members(groups: NDArray[Any], labels: int) -> Iterator[NDArray[np.int_]]:
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        if len(places) >= labels + _FEWEST_LEFT:
            yield places


@dataclass(frozen=True)
class Calibrated:
    """A group's rows with what is predicted before and after its level is corrected by its labels."""

    shift: Shift
    labels: int
    gain: Gain | None
    #: Entity, number `predicted` and `calibrated`, and, of a question, its probability before and after.
    rows: pd.DataFrame


def calibrate(model: Model, rows: pd.DataFrame, group: str) -> Calibrated:
    """Correct the predictions for `group` by the rows of it that have a label; `rows` are of all groups.

    By a model fitted on the other groups, so that the labels were not learned already. Raises TooLittleData where the
    others do not suffice to learn from, UserError where the group has no rows, or no label.
    """
    features = model.features
    own = rows[rows[features.group] == group].reset_index(drop=True)
    others = labelled(model, rows[rows[features.group] != group])
    truth = learned(model, own)
    known = np.isfinite(truth)
    if not known.any():
        raise UserError(
            f"{features.group} {group} has {len(own)} rows of {features.name}, none of them with a label: give some"
        )
    found, of_others = errors(model, others), others[features.group].astype(str).to_numpy()
    estimator = fit(model, others)
    predicted = numbers(model, estimator, own)
    off = np.log(np.clip(truth[known] / predicted[known], 1e-3, 1e3))
    shift = ErrorParts.of(found, of_others).shift(off)
    shown = own[list(features.entity)].assign(predicted=predicted, calibrated=predicted * np.exp(shift.shift))
    if isinstance(model.task, Classification) and model.task.question:
        for name, narrower in (("predicted", 1.0), ("calibrated", shift.narrower)):
            levels = estimator.probabilities(shown[name].to_numpy(), narrower)
            shown[f"probability_{model.task.question}_{name}"] = probability_of_yes(model.task, levels)
    return Calibrated(shift, len(off), next(iter(gains(found, of_others, [len(off)])), None), shown)
