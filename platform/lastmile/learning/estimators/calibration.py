"""A few labels of a new group correct its level: what all its rows are off by together.

Errors are logarithms of a number over its prediction. Those of a group have a part in common, since its rows were asked
by the same people in the same season, and a part of each row's own. The common part is the mean of the errors known,
shrunk towards zero by how far the mean of so few can be trusted (empirical Bayes; Efron and Morris, 1975).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """What is added to the logarithm of a group's predictions, and how large errors are then, next to before."""

    shift: float
    narrower: float


@dataclass(frozen=True)
class ErrorParts:
    """Variances of the part of errors that a group shares, and of the part that each row has."""

    between: float
    within: float

    @classmethod
    def of(cls, errors: Floats, groups: NDArray[Any]) -> Self:
        """By the analysis of variance of groups of unequal sizes (Searle, 1971). Raises ValueError where no group has
        two rows, or there is only one."""
        _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        rows, count = len(errors), len(sizes)
        if count < 2 or rows == count:
            raise ValueError(f"{rows} rows of {count} groups: expected two groups, and one with two rows")
        means = np.bincount(places, errors) / sizes
        within = float(((errors - means[places]) ** 2).sum() / (rows - count))
        between = float((sizes * (means - errors.mean()) ** 2).sum() / (count - 1))
        size = (rows - (sizes**2).sum() / rows) / (count - 1)
        return cls(max(0.0, (between - within) / size), within)

    def shift(self, known: Floats) -> Shift:
        """From the errors known of one group; of none, no shift."""
        if not len(known) or not self.between:
            return Shift(0.0, 1.0)
        trust = self.between / (self.between + self.within / len(known))
        left = self.within + self.between * (1 - trust)
        return Shift(float(trust * known.mean()), float(np.sqrt(left / (self.within + self.between))))
