"""A regressor that needs no more than so many rows, however many there are."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone

#: Rows predicted at once: what a pipeline makes of them, some hundred columns, stays within 100 MB.
_BATCH = 50_000


class Sampled(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Fits `regressor` on at most `most` of the rows, drawn by `random_state`, and predicts in batches.

    A pipeline's tables of floats would be as large as all the rows, once for each of its steps, and a few hundred
    coefficients or leaves do not get better by the hundred thousandth row.
    """

    def __init__(self, regressor: Any, most: int = 50_000, random_state: int = 0) -> None:
        self.regressor = regressor
        self.most = most
        self.random_state = random_state

    def fit(self, rows: pd.DataFrame, number: NDArray[np.float64]) -> Self:
        if len(rows) > self.most:
            chosen = np.random.default_rng(self.random_state).choice(len(rows), self.most, replace=False)
            rows, number = rows.iloc[chosen], number[chosen]
        self.regressor_ = clone(self.regressor).fit(rows, number)
        return self

    def predict(self, rows: pd.DataFrame) -> NDArray[np.float64]:
        parts = [self.regressor_.predict(rows.iloc[start : start + _BATCH]) for start in range(0, len(rows), _BATCH)]
        return np.concatenate(parts) if parts else np.empty(0)
