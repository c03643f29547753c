"""Intervals around predicted numbers that hold the truth in the share of rows wanted, whatever the model is like.

The half width is a quantile of the errors on rows that the model had not seen (split conformal, Vovk et al., 2005;
cross-conformal, Vovk, 2015). Rows of a group err alike, so they count as fewer than they are: as many as would give the
same error of a share (Kish, 1965).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lastmile.learning.declarations.model import Regression
from lastmile.learning.evaluation.interval import SMALLEST
from lastmile.learning.evaluation.resampling import clusters, count, error_of_mean


def conformal(
    task: Regression, truth: NDArray[np.float64], found: NDArray[np.float64], groups: Any, folds: NDArray[np.int_]
) -> dict[str, Any]:
    """The interval of new rows: `half_width` in the target's unit, or of its natural logarithm where `log`.

    `found` is the coverage on each fold with the half width that the other folds give, `error` its standard error over
    groups.
    """
    errors = np.abs(_scaled(task.log, truth) - _scaled(task.log, found))
    inside = np.empty(len(errors))
    for fold in np.unique(folds):
        here = folds == fold
        others = ~here if (~here).any() else here
        inside[here] = errors[here] <= half_width(errors[others], groups[others], task.coverage)
    return {
        "coverage": task.coverage,
        "half_width": half_width(errors, groups, task.coverage),
        "log": task.log,
        "found": float(inside.mean()),
        "error": error_of_mean(inside, groups),
    }


def half_width(errors: NDArray[np.float64], groups: Any, coverage: float) -> float:
    """The quantile of the errors that covers a new row of a new group, with the correction for finite samples."""
    plain = float(np.quantile(errors, coverage, method="higher"))
    spread = error_of_mean((errors <= plain).astype(np.float64), groups) or np.inf
    independent = np.clip(coverage * (1 - coverage) / spread**2, count(clusters(groups)), len(errors))
    return float(np.quantile(errors, min(coverage * (1 + 1 / independent), 1.0), method="higher"))


def _scaled(log: bool, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.maximum(numbers, SMALLEST)) if log else numbers
