"""Numbers made fit for a linear model, in steps that convert to ONNX on 64 bits, which those of scikit-learn do not.

numbers = make_pipeline(Logarithm(), Filled(), StandardScaler())
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class Logarithm(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The natural logarithm of 1 + a number, for numbers from 0 on whose largest are a hundred times the median."""

    def fit(self, _rows: Any, _target: Any = None) -> Self:
        return self

    def transform(self, rows: Any) -> NDArray[np.float64]:
        logarithms: NDArray[np.float64] = np.log1p(np.asarray(rows, dtype=np.float64))
        return logarithms

    def __sklearn_is_fitted__(self) -> bool:
        return True


class Filled(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A missing number is the median of its column, 0 where none is known; then as many columns again, which have 1
    where a number is missing: what is not answered may say something."""

    def fit(self, rows: Any, _target: Any = None) -> Self:
        known = np.asarray(rows, dtype=np.float64)
        has_any = ~np.isnan(known).all(axis=0)
        self.medians_ = np.zeros(known.shape[1])
        self.medians_[has_any] = np.nanmedian(known[:, has_any], axis=0)
        return self

    def transform(self, rows: Any) -> NDArray[np.float64]:
        """[rows, 2 x columns]."""
        numbers = np.asarray(rows, dtype=np.float64)
        missing = np.isnan(numbers)
        return np.hstack([np.where(missing, self.medians_, numbers), missing])
