"""How many rows with outcomes an experiment needs, from the smallest difference worth finding.

The spread comes from labelled rows that the versions predict now, with the same estimator and the same clusters as the
report: where rows of one survey err together, more of them are needed.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from psycopg import Connection

from lastmile.errors import UserError
from lastmile.learning.declarations.model import Model
from lastmile.learning.experiments.assignment import units
from lastmile.learning.experiments.comparison import difference
from lastmile.learning.experiments.experiment import Experiment, Plan
from lastmile.learning.experiments.exposures import variant_of
from lastmile.learning.experiments.report import scores
from lastmile.learning.experiments.running import numbers, seen, versions_of
from lastmile.learning.experiments.sequence import planned_size
from lastmile.store import Store

#: Labelled rows to learn the spread from, at least.
FEWEST_ROWS = 100


@dataclass(frozen=True)
class Size:
    """Rows with outcomes, and the rows that the spread was learned from; `unseen` where no version was trained on them."""

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
    trial = Experiment(
        **vars(plan), state="running", share=share, started_at=datetime.now(UTC), started_by="", reason="",
        ended_at=None, decision=None,
    )  # fmt: skip
    of_units = units(used, plan.unit)
    found = {name: numbers(store, model, version, used) for name, version in versions.items()}
    logged = pd.DataFrame(
        {
            "unit": of_units,
            "cluster": used[model.features.group],
            "version": variant_of(connection, trial, of_units),
            "share": np.nan if share is None else share,
            "predictions": _by_row(found),
            "value": used[model.target].astype(str),
        }
    ).reset_index(drop=True)
    scored = scores(model, trial, logged)
    variances = [_variance(scored, plan.control, treatment) for treatment in plan.treatments]
    planned = planned_size(detect, max(variances), plan.alpha / len(plan.treatments))
    return Size(max(planned, FEWEST_ROWS), len(used), used is unseen)


def _variance(scored: pd.DataFrame, control: str, treatment: str) -> float:
    """Of the difference's estimate, times the rows."""
    arms = scored[["share", "cluster"]].assign(control=scored[control], treatment=scored[treatment])
    return len(scored) * difference(arms).error ** 2


def _by_row(found: dict[str, pd.DataFrame]) -> list[dict[str, list[float]]]:
    lists = {version: frame.to_numpy().tolist() for version, frame in found.items()}
    return [dict(zip(lists, of_row, strict=True)) for of_row in zip(*lists.values(), strict=True)]
