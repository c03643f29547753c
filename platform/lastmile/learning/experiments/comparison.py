"""A treatment against the control on the rows with outcomes: the difference at every look, and at the planned size."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from lastmile.learning.experiments.sequence import (
    Difference,
    estimate,
    fixed_margin,
    p_value,
    sequence_margin,
)

Rows = NDArray[np.float64]
#: Looks that are shown and computed; more are thinned out evenly, and the last one is always among them.
MOST_LOOKS = 60


@dataclass(frozen=True)
class Arms:
    """Rows in the order in which their outcomes became known: the metric by version, NaN where the version did not
    answer; how likely each version was to answer, 1 in shadow, where both do; the number of the row's cluster."""

    control: Rows
    treatment: Rows
    chance_of_control: Rows
    chance_of_treatment: Rows
    cluster: NDArray[np.int_]

    def first(self, count: int) -> "Arms":
        return Arms(*(column[:count] for column in vars(self).values()))


@dataclass(frozen=True)
class Look:
    """The difference (treatment minus control) on all rows known by then, within its confidence sequence."""

    at: datetime
    rows: int
    effect: float
    low: float
    high: float

    @property
    def differs(self) -> bool:
        return not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Fixed:
    """The one test on exactly the planned number of rows, the first that became known."""

    rows: int
    effect: float
    low: float
    high: float
    p: float
    significant: bool


@dataclass(frozen=True)
class Comparison:
    """A treatment against the control. `fixed` is None before the planned size is reached."""

    treatment: str
    rows: int
    clusters: int
    looks: list[Look]
    fixed: Fixed | None

    @property
    def decisive(self) -> Look | None:
        """The first look whose sequence excluded no difference: whatever later looks show, it was right to stop."""
        return next((look for look in self.looks if look.differs), None)


def compare(
    treatment: str, arms: Arms, planned: int, alpha: float, looks: Sequence[tuple[int, datetime]]
) -> Comparison:
    """`looks` are numbers of rows known, and when."""
    answered = ~np.isnan(arms.control) | ~np.isnan(arms.treatment)
    found = [_look(arms.first(count), at, planned, alpha) for count, at in looks]
    fixed = _fixed(arms.first(planned), alpha) if len(arms.control) >= planned else None
    return Comparison(treatment, int(answered.sum()), len(np.unique(arms.cluster[answered])), found, fixed)


def difference(arms: Arms) -> Difference:
    """Of the versions' means over all rows: each row counts inversely to the chance of its answer (Horvitz and
    Thompson, 1952), so that a share that grows while the rows change is no effect; less the mean of all, which takes
    its variance out (Robins, Rotnitzky and Zhao, 1994, with a constant as the model of outcomes). In shadow that is
    the paired difference.
    """
    scores = np.concatenate([arms.control, arms.treatment])
    middle = np.nanmean(scores) if not np.isnan(scores).all() else 0.0
    treated = np.nan_to_num((arms.treatment - middle) / arms.chance_of_treatment)
    return estimate(treated - np.nan_to_num((arms.control - middle) / arms.chance_of_control), arms.cluster)


def _look(arms: Arms, at: datetime, planned: int, alpha: float) -> Look:
    found, rows = difference(arms), len(arms.control)
    low, high = found.within(sequence_margin(found, rows / planned, alpha))
    return Look(at, rows, found.effect, low, high)


def _fixed(arms: Arms, alpha: float) -> Fixed:
    found = difference(arms)
    low, high = found.within(fixed_margin(found, alpha))
    return Fixed(len(arms.control), found.effect, low, high, p_value(found), not low <= 0 <= high)
