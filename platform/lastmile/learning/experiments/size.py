"""How many rows with outcomes an experiment needs, from the smallest difference worth finding.

The spread comes from labelled rows that the versions predict now, with the same estimator and the same clusters as the
report: where rows of one survey err together, more of them are needed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg import Connection

from lastmile.errors import UserError
from lastmile.learning.declarations.model import Model
from lastmile.learning.experiments.assignment import assigned, units
from lastmile.learning.experiments.comparison import Arms, Rows, difference
from lastmile.learning.experiments.experiment import Plan
from lastmile.learning.experiments.metrics import by_row
from lastmile.learning.experiments.running import numbers, seen, versions_of
from lastmile.learning.experiments.sequence import planned_size
from lastmile.learning.training.fitting import target
from lastmile.store import Store

#: Labelled rows to learn the spread from, at least.
FEWEST_ROWS = 100
#: Assignments that are tried out; with one of 30 treated rows the spread varies twofold.
_TRIALS = 50


@dataclass(frozen=True)
class Size:
    """Rows with outcomes; the rows that the spread was learned from, and whether no version was trained on them."""

    planned: int
    learned_from: int
    unseen: bool

    def __str__(self) -> str:
        basis = f"{self.planned:,} rows, by the spread of {self.learned_from:,} labelled rows"
        return basis if self.unseen else f"{basis}, which the versions may have been trained on: plan some more"


def size(
    connection: Connection,
    store: Store,
    model: Model,
    plan: Plan,
    share: float | None,
    rows: pd.DataFrame,
    detect: float,
) -> Size:
    """Rows needed to find a difference of `detect`, in the metric's unit, in 80 % of experiments.

    Raises UserError where too few rows are labelled.
    """
    versions = versions_of(connection, model.name, [plan.control, *plan.treatments])
    labelled = rows[rows[model.target].notna()]
    unseen = labelled[~seen(store, model, list(versions.values()), labelled)]
    used = unseen if len(unseen) >= FEWEST_ROWS else labelled
    if len(used) < FEWEST_ROWS:
        raise UserError(
            f"{len(used)} rows of {model.features.name} have a {model.target}: the spread needs {FEWEST_ROWS}. Give the"
            " planned size itself with --size."
        )
    scores = {
        name: by_row(model, plan.metric, target(model, used), numbers(store, model, version, used).to_numpy())
        for name, version in versions.items()
    }
    clusters = pd.factorize(used[model.features.group])[0]
    variances = [
        np.mean([len(used) * difference(arms).error ** 2 for arms in arms_of])
        for arms_of in (_trials(plan, share, units(used, plan.unit), scores, one, clusters) for one in plan.treatments)
    ]
    planned = planned_size(detect, float(max(variances)), plan.alpha / len(plan.treatments))
    return Size(max(planned, FEWEST_ROWS), len(used), used is unseen)


def _trials(
    plan: Plan,
    share: float | None,
    of_units: "pd.Series[str]",
    scores: dict[str, Rows],
    treatment: str,
    clusters: NDArray[np.int_],
) -> Iterator[Arms]:
    """What the rows would show: in shadow once, in a split by one assignment after the other."""
    both = np.ones(len(of_units))
    if share is None:
        yield Arms(scores[plan.control], scores[treatment], both, both, clusters)
        return
    of_treatment = share / len(plan.treatments)
    for number in range(_TRIALS):
        salt = f"{plan.salt} {number}"
        answered = np.array([assigned(salt, unit, share, plan.control, plan.treatments) for unit in of_units])
        control, treated = (np.where(answered == name, scores[name], np.nan) for name in (plan.control, treatment))
        yield Arms(control, treated, both * (1 - share), both * of_treatment, clusters)
