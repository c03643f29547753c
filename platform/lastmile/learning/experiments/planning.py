"""The plan of an experiment: what is compared by what, and how many rows with outcomes that needs.

The size follows from the smallest difference worth finding. The spread comes from labelled rows that the versions
predict now, with the same estimator and the same clusters as the report: where rows of one survey err together, more of
them are needed.
"""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from psycopg import Connection

from lastmile.errors import UserError
from lastmile.learning.declarations.model import Model
from lastmile.learning.experiments import metrics
from lastmile.learning.experiments.assignment import units
from lastmile.learning.experiments.comparison import difference
from lastmile.learning.experiments.experiment import Experiment, Mode, Plan, new_salt
from lastmile.learning.experiments.exposures import variant_of
from lastmile.learning.experiments.report import arms, scores
from lastmile.learning.experiments.running import numbers, seen, versions_of
from lastmile.learning.experiments.sequence import planned_size
from lastmile.learning.features.building import stored
from lastmile.learning.registry import deployments
from lastmile.store import Store

#: Labelled rows to learn the spread from, at least.
FEWEST_ROWS = 100


@dataclass(frozen=True)
class Size:
    """Rows with outcomes; the rows that the spread was learned from, and whether no version was trained on them."""

    planned: int
    learned_from: int
    unseen: bool

    def __str__(self) -> str:
        basis = f"{self.planned:,} rows, by the spread of {self.learned_from:,} labelled rows"
        return basis if self.unseen else f"{basis}, which the versions may have been trained on: plan some more"


@dataclass(frozen=True)
class Wish:
    """What a person wants to compare; None where the usual is wanted."""

    name: str
    treatments: list[str]
    control: str | None = None
    mode: Mode = "shadow"
    share: float | None = None
    unit: list[str] | None = None
    metric: str | None = None
    alpha: float = 0.05
    detect: float | None = None
    size: int | None = None
    hypothesis: str | None = None


def plan(connection: Connection, store: Store, model: Model, wish: Wish) -> tuple[Plan, str]:
    """The plan, and what its size rests on, in words. Raises UserError for a wish that cannot be met."""
    control = wish.control or _in_use(connection, model)
    metric = wish.metric or _usual_metric(model, wish.mode)
    _check(model, wish, control, metric)
    versions_of(connection, model.name, [control, *wish.treatments])
    expected = f"version {' or '.join(wish.treatments)} is better than version {control} by {metric}"
    fixed = Plan(
        wish.name, model.name, wish.mode, control, wish.treatments, wish.unit or list(model.features.entity), metric,
        wish.alpha, wish.size or 1, wish.hypothesis or f"{expected[0].upper()}{expected[1:]}.", new_salt(),
    )  # fmt: skip
    if wish.detect is None:
        return fixed, f"{fixed.planned_size:,} rows"
    found = size(connection, store, model, fixed, wish.share, stored(model.features).read(store), wish.detect)
    return replace(fixed, planned_size=found.planned), str(found)


def _in_use(connection: Connection, model: Model) -> str:
    champion = deployments.champion(connection, model.name)
    if champion is None:
        raise UserError(f"no version of {model.name} is in use: name one to compare with by --control")
    return champion.version


def _usual_metric(model: Model, mode: Mode) -> str:
    known = metrics.names(model, mode)
    return model.compared_by if model.compared_by in known else known[0]


def _check(model: Model, wish: Wish, control: str, metric: str) -> None:
    known = metrics.names(model, wish.mode)
    columns = [*model.features.entity, model.features.group]
    faults = {
        f"name {wish.name!r}: expected letters, digits, '-' and '_'": not re.fullmatch(r"[A-Za-z0-9_-]+", wish.name),
        "a version cannot be compared with itself": len({control, *wish.treatments}) <= len(wish.treatments),
        f"metric {metric!r}: expected one of {', '.join(known)}": metric not in known,
        f"unit {wish.unit}: expected columns among {', '.join(columns)}": not set(wish.unit or []) <= {*columns},
        f"alpha {wish.alpha:g}: expected a share below a half": not 0 < wish.alpha < 0.5,
        f"share {wish.share}: expected one between 0 and 1": wish.share is not None and not 0 < wish.share < 1,
        "expected either --detect, above 0, or --size": (wish.detect is None) == (wish.size is None)
        or (wish.detect is not None and wish.detect <= 0),
    }
    if found := [fault for fault, is_one in faults.items() if is_one]:
        raise UserError("; ".join(found))


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
    errors = [difference(arms(scored, trial, treatment)).error for treatment in plan.treatments]
    planned = planned_size(detect, len(used) * max(errors) ** 2, plan.alpha / len(plan.treatments))
    return Size(max(planned, FEWEST_ROWS), len(used), used is unseen)


def _by_row(found: dict[str, pd.DataFrame]) -> list[dict[str, list[float]]]:
    lists = {version: frame.to_numpy().tolist() for version, frame in found.items()}
    return [dict(zip(lists, of_row, strict=True)) for of_row in zip(*lists.values(), strict=True)]
