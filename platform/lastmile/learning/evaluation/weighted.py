"""Scores of rows that count more than once or not at all, of many such weightings at once.

Bootstrap and jackknife need a score a thousand times over: here that is a few matrix products, not a thousand calls.
`weights` has a line per weighting and a column per cluster, `codes` the cluster of each row. A score is NaN where a
weighting leaves rows that cannot tell, such as all of one answer.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lastmile.learning.evaluation.resampling import Codes, Weights

#: Of values that rank rows, in many weightings at once: more change the fourth decimal.
_MOST_STEPS = 1_000

Scores = NDArray[np.float64]


def sums(of_rows: NDArray[np.float64], codes: Codes, weights: Weights) -> Scores:
    """Of a number per row."""
    total: Scores = weights @ np.bincount(codes, of_rows, minlength=weights.shape[1])
    return total


def mean(of_rows: NDArray[np.float64], codes: Codes, weights: Weights) -> Scores:
    """Of a number per row."""
    return ratio(sums(of_rows, codes, weights), sums(np.ones_like(of_rows), codes, weights))


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Scores:
    """NaN where the whole is nothing."""
    shares: Scores = np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)
    return shares


def r2(truth: NDArray[np.float64], found: NDArray[np.float64], codes: Codes, weights: Weights) -> Scores:
    """Coefficient of determination."""
    rows = sums(np.ones(len(truth)), codes, weights)
    centred = truth - truth.mean()  # squares of large numbers would lose their last digits
    spread = sums(centred**2, codes, weights) - ratio(sums(centred, codes, weights) ** 2, rows)
    return 1 - ratio(sums((truth - found) ** 2, codes, weights), spread)


def confusion(
    truth: NDArray[np.intp], answer: NDArray[np.intp], levels: int, codes: Codes, weights: Weights
) -> NDArray[np.float64]:
    """Rows by weighting, true level and level predicted; levels are places from 0."""
    clusters, cells = weights.shape[1], levels**2
    cell = codes * cells + truth * levels + answer
    by_cluster = np.bincount(cell, minlength=clusters * cells).reshape(clusters, cells)
    counted: NDArray[np.float64] = (weights @ by_cluster).reshape(-1, levels, levels)
    return counted


def balanced_accuracy(confusion: NDArray[np.float64]) -> Scores:
    """Mean recall of the levels that the rows have."""
    recalls = ratio(np.diagonal(confusion, axis1=1, axis2=2), confusion.sum(axis=2))
    return ratio(np.nansum(recalls, axis=1), np.isfinite(recalls).sum(axis=1))


def quadratic_kappa(confusion: NDArray[np.float64]) -> Scores:
    """Agreement beyond chance, mistakes weighed by the square of their distance (Cohen, 1968)."""
    levels = np.arange(confusion.shape[1])
    distance = (levels[:, None] - levels[None, :]) ** 2
    chance = confusion.sum(axis=2)[:, :, None] * confusion.sum(axis=1)[:, None, :]
    chance = ratio(chance, confusion.sum(axis=(1, 2))[:, None, None])
    return 1 - ratio((confusion * distance).sum(axis=(1, 2)), (chance * distance).sum(axis=(1, 2)))


def roc_area(positive: NDArray[np.bool_], ranked_by: NDArray[np.float64], codes: Codes, weights: Weights) -> Scores:
    """Share of pairs of a positive and another row that are in the right order; NaN where all rows are the same."""
    return _by_rank(_roc_area, positive, ranked_by, codes, weights)


def precision_area(
    positive: NDArray[np.bool_], ranked_by: NDArray[np.float64], codes: Codes, weights: Weights
) -> Scores:
    """Average precision; NaN where no row is positive."""
    return _by_rank(_precision_area, positive, ranked_by, codes, weights)


def _by_rank(
    area: Callable[[NDArray[np.float64], NDArray[np.float64]], Scores],
    positive: NDArray[np.bool_],
    ranked_by: NDArray[np.float64],
    codes: Codes,
    weights: Weights,
) -> Scores:
    """`area` is given how many of the positive and of the other rows lie at or above each step, by weighting."""
    steps = _steps(ranked_by, _MOST_STEPS if len(weights) > 1 else len(ranked_by))
    yes, no = (_counted(steps[rows], codes[rows], weights.shape[1], steps.max() + 1) for rows in (positive, ~positive))
    return area(np.cumsum(weights @ yes, axis=1), np.cumsum(weights @ no, axis=1))


def _steps(ranked_by: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """The step of each row from the highest value down: rows of one value share one; where there are more
    values than `most`, steps are of equally many values."""
    order = np.argsort(-ranked_by, kind="stable")
    step = np.cumsum(np.append(0, np.diff(ranked_by[order]) != 0))
    if step[-1] >= most:
        step = (step * most) // (step[-1] + 1)
    steps = np.empty(len(order), dtype=np.intp)
    steps[order] = step
    return steps


def _counted(steps: NDArray[np.intp], codes: Codes, clusters: int, count: int) -> NDArray[np.float64]:
    """Rows by cluster and step."""
    cells = np.bincount(codes * count + steps, minlength=clusters * count)
    counted: NDArray[np.float64] = cells.reshape(clusters, count).astype(np.float64)
    return counted


def _roc_area(yes: NDArray[np.float64], no: NDArray[np.float64]) -> Scores:
    before = np.pad(yes[:, :-1], ((0, 0), (1, 0)))
    area = (np.diff(no, axis=1, prepend=0) * (yes + before) / 2).sum(axis=1)
    return ratio(area, yes[:, -1] * no[:, -1])


def _precision_area(yes: NDArray[np.float64], no: NDArray[np.float64]) -> Scores:
    area = (np.diff(yes, axis=1, prepend=0) * np.nan_to_num(ratio(yes, yes + no))).sum(axis=1)
    return ratio(area, yes[:, -1])
