"""A number whose errors grow with it, such as money, is learned on a logarithmic scale."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone


class OnLogScale(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Fits `regressor` on the natural logarithm of the number and predicts the number, above zero.

    Numbers beyond `lowest` and `highest` count as these: the logarithm makes too much of what is near zero.
    """

    def __init__(self, regressor: Any, lowest: float, highest: float) -> None:
        self.regressor = regressor
        self.lowest = lowest
        self.highest = highest

    def fit(self, rows: Any, number: ArrayLike) -> Self:
        logarithm = np.log(np.clip(np.asarray(number, dtype=np.float64), self.lowest, self.highest))
        self.regressor_ = clone(self.regressor).fit(rows, logarithm)
        return self

    def predict(self, rows: Any) -> NDArray[np.float64]:
        """In the unit of the number: the median where errors of the logarithm are symmetric, below the mean."""
        predicted: NDArray[np.float64] = np.exp(self.regressor_.predict(rows))
        return predicted
