"""A treatment against the control on the rows with outcomes: the difference at every look, and at the planned size."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
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


def paired(control: Rows, treatment: Rows, clusters: NDArray[np.int_]) -> Difference:
    """Of rows that both versions predicted."""
    differences = treatment - control
    effect = float(differences.mean()) if len(differences) else 0.0
    return estimate((differences - effect) / max(len(differences), 1), effect, clusters)


def split(scores: Rows, treated: NDArray[np.bool_], shares: Rows, clusters: NDArray[np.int_]) -> Difference:
    """Of rows that either version answered.

    Rows of different `shares` of the treatments are compared apart and weighted by their number: as a share grows,
    treated rows are later ones, and a trend would pass for an effect.
    """
    effect, contributions = 0.0, np.zeros(len(scores))
    usable = [share for share in np.unique(shares) if len(set(treated[shares == share])) > 1]
    total = sum(int((shares == share).sum()) for share in usable)
    for share in usable:
        of_share = shares == share
        weight = of_share.sum() / total
        for arm, sign in ((of_share & treated, 1), (of_share & ~treated, -1)):
            mean = scores[arm].mean()
            effect += sign * weight * mean
            contributions[arm] = sign * weight * (scores[arm] - mean) / arm.sum()
    known = np.isin(shares, usable)
    return estimate(contributions[known], effect, clusters[known])


def compare(
    treatment: str, rows: pd.DataFrame, planned: int, alpha: float, looks: Sequence[tuple[int, datetime]]
) -> Comparison:
    """`rows` in the order in which they became known: `control` and `treatment`, the metric by version, NaN where that
    version did not answer; `share`, NaN in shadow; `cluster`, numbered. `looks` are numbers of rows known, and when."""
    last = difference(rows)
    found = [_look(rows.iloc[:count], at, planned, alpha) for count, at in looks]
    fixed = _fixed(rows.iloc[:planned], alpha) if len(rows) >= planned else None
    return Comparison(treatment, last.rows, last.degrees + 1 if last.rows else 0, found, fixed)


def difference(rows: pd.DataFrame) -> Difference:
    """Of all these rows; paired where both versions predicted them."""
    if rows["share"].isna().all():
        rows = rows[rows[["control", "treatment"]].notna().all(axis=1)]
        return paired(rows["control"].to_numpy(), rows["treatment"].to_numpy(), rows["cluster"].to_numpy())
    rows = rows[rows[["control", "treatment"]].notna().any(axis=1)]
    treated = rows["treatment"].notna().to_numpy()
    scores = np.where(treated, rows["treatment"], rows["control"])
    return split(scores, treated, rows["share"].to_numpy(), rows["cluster"].to_numpy())


def _look(rows: pd.DataFrame, at: datetime, planned: int, alpha: float) -> Look:
    found = difference(rows)
    low, high = found.within(sequence_margin(found, len(rows) / planned, alpha))
    return Look(at, len(rows), found.effect, low, high)


def _fixed(rows: pd.DataFrame, alpha: float) -> Fixed:
    found = difference(rows)
    low, high = found.within(fixed_margin(found, alpha))
    return Fixed(len(rows), found.effect, low, high, p_value(found), not low <= 0 <= high)
