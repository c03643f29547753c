"""The plan of an experiment, from what a person wants to compare: the usual where nothing is said, faults in words."""

import re
from dataclasses import dataclass, replace

from psycopg import Connection

from lastmile.errors import UserError
from lastmile.learning.declarations.model import Model
from lastmile.learning.experiments import metrics
from lastmile.learning.experiments.experiment import Mode, Plan, new_salt
from lastmile.learning.experiments.running import versions_of
from lastmile.learning.experiments.size import size
from lastmile.learning.features.building import stored
from lastmile.learning.registry import deployments
from lastmile.store import Store


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
