"""Whether what is called 30 % likely happens in 30 % of cases.

Probabilities that are right give a slope of 1 and an intercept of 0 (Cox, 1958; Van Calster et al., 2019). A slope
below 1 says that they are too extreme, an intercept above 0 that they are too low on the whole.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lastmile.learning.declarations.model import Classification
from lastmile.learning.evaluation.metrics import Predicted, Truth, is_level, probability_of_yes

_BINS, _STEPS = 10, 25
_SMALLEST = 1e-6


def calibration(task: Classification, truth: Truth, found: Predicted) -> dict[str, Any]:
    """Of the question's answer, or by level where there is no question: `slope`, `intercept`, and a `curve` of mean
    predicted probability, share observed, and rows, by tenths of the rows."""
    if task.question:
        return _of_answer(np.isin(truth, task.positive).astype(np.float64), probability_of_yes(task, found))
    members = is_level(task, truth)
    return {level: _of_answer(members[:, place], found[:, place]) for place, level in enumerate(task.levels)}


def _of_answer(yes: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, Any]:
    if yes.min() == yes.max():
        return {"slope": None, "intercept": None, "curve": curve(yes, predicted)}
    chance = np.clip(predicted, _SMALLEST, 1 - _SMALLEST)
    logit = np.log(chance / (1 - chance))
    slope = _logistic(np.stack([logit, np.ones_like(logit)], axis=1), np.zeros_like(logit), yes)[0]
    intercept = _logistic(np.ones((len(logit), 1)), logit, yes)[0]
    return {"slope": slope, "intercept": intercept, "curve": curve(yes, predicted)}


def _logistic(columns: NDArray[np.float64], offset: NDArray[np.float64], yes: NDArray[np.float64]) -> list[float]:
    """Coefficients of a logistic regression by Newton's method; the ridge, worth a thousandth of a row, keeps answers
    that are separated without a fault finite."""
    found, ridge = np.zeros(columns.shape[1]), 1e-3 * np.eye(columns.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(columns @ found + offset, -30, 30)))
        curvature = (columns * (chance * (1 - chance))[:, None]).T @ columns + ridge
        step = np.linalg.solve(curvature, columns.T @ (yes - chance) - ridge @ found)
        found = found + np.clip(step, -1, 1)
    return [float(value) for value in found]


def curve(yes: NDArray[np.float64], predicted: NDArray[np.float64]) -> list[list[float]]:
    """Mean predicted, share observed and rows, of tenths of the rows by what was predicted."""
    parts = [part for part in np.array_split(np.argsort(predicted, kind="stable"), _BINS) if len(part)]
    return [[float(predicted[part].mean()), float(yes[part].mean()), len(part)] for part in parts]
