"""How sure one may be of a difference: at any look, at the planned size, and how large the plan must be.

A test that is looked at every day and stopped when it says yes is wrong far more often than it claims: 28 daily looks
at a 5 % test stop falsely in 28 % of cases. A confidence sequence holds the true difference at all looks together, so
it may be watched and stopped by. Of the experiment's alpha a fifth is spent on the sequence and the rest on the one
test at the planned size: both together are wrong in at most a share alpha of cases (Bonferroni's inequality).
"""

from dataclasses import dataclass
from math import ceil, e, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import lambertw, ndtr, ndtri, stdtr, stdtrit

#: Share of alpha for looks. The test at the planned size needs 4 % more units than it would with all of it at 5 %.
LOOKS = 0.2


@dataclass(frozen=True)
class Difference:
    """Of means, treatment minus control, in the metric's unit; `error` is its standard error, `degrees` are those of
    freedom that the error is known with."""

    effect: float
    error: float
    degrees: float

    def within(self, margin: float) -> tuple[float, float]:
        return self.effect - margin, self.effect + margin


def estimate(differences: NDArray[np.float64], clusters: NDArray[np.int_]) -> Difference:
    """The mean of the rows' differences.

    Rows of one cluster err together, so their errors are added before they are squared (Liang and Zeger, 1986), with
    K / (K - 1) for K clusters. Degrees of freedom are at most K - 1; fewer where few clusters make most of the error,
    as where few rows were treated (Satterthwaite, 1946). With fewer than two clusters the error is infinite.
    """
    rows = len(differences)
    effect = float(differences.mean()) if rows else 0.0
    sums = np.bincount(clusters, weights=differences - effect) if rows else np.zeros(0)
    count = int(np.count_nonzero(np.bincount(clusters)))
    if count < 2:
        return Difference(effect, inf, 0)
    squares = sums**2
    total = float(squares.sum())
    uneven = float((squares**2).sum()) - total**2 / count
    degrees = min(count - 1, 2 * total**2 / uneven) if uneven > 0 else count - 1
    return Difference(effect, sqrt(total * count / (count - 1)) / rows, degrees)


def sequence_margin(found: Difference, reached: float, alpha: float) -> float:
    """Half the width of the confidence sequence at a look that has `reached` this share of the planned size.

    The asymptotic confidence sequence with Robbins' normal mixture (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
    2024, theorem 2.2), tightest at the planned size (Howard, Ramdas, McAuliffe and Sekhon, 2021, proposition 3). As
    Student's t widens the normal for few observations, so it is widened here for few clusters. Infinite where the rows
    show no variation: they say nothing of it then.
    """
    if not found.error or not reached:
        return inf
    spent = alpha * LOOKS
    at = reached * (-lambertw(-(spent**2) / e, -1).real - 1)
    return _widened(sqrt((1 + 1 / at) * (log(1 + at) - 2 * log(spent))), found.degrees) * found.error


def fixed_margin(found: Difference, alpha: float) -> float:
    """Half the width of the confidence interval of the one test at the planned size."""
    return _widened(-float(ndtri(alpha * (1 - LOOKS) / 2)), found.degrees) * found.error


def p_value(found: Difference) -> float:
    """Of no difference, by Student's t on the clusters."""
    if found.error in (0, inf):
        return float(found.effect == 0 or found.error == inf)
    return float(2 * stdtr(found.degrees, -abs(found.effect) / found.error))


def planned_size(detect: float, variance: float, alpha: float, power: float = 0.8) -> int:
    """Rows with outcomes needed to find a difference of `detect` in a share `power` of experiments.

    `variance` is that of the difference's estimate times the rows, errors of clusters included.
    """
    multiple = float(ndtri(power) - ndtri(alpha * (1 - LOOKS) / 2))
    return ceil(variance * (multiple / detect) ** 2)


def _widened(multiple: float, degrees: float) -> float:
    """The multiple of the standard error that Student's t needs where the normal needs this one."""
    return -float(stdtrit(degrees, ndtr(-multiple))) if degrees else inf
