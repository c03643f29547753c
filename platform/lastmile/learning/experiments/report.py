"""What an experiment shows so far: first whether it can be trusted, then the difference, then a verdict in words."""

from dataclasses import asdict, dataclass
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
from psycopg import Connection

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.experiments import metrics
from lastmile.learning.experiments.comparison import MOST_LOOKS, Arms, Comparison, Fixed, Look, compare
from lastmile.learning.experiments.experiment import Experiment
from lastmile.learning.experiments.outcomes import sync
from lastmile.learning.experiments.ratio import Ratio, sample_ratio

#: Every exposure with its outcome; those with one first, in the order in which they became known.
_LOGGED = """
    SELECT logged.unit, logged.cluster, logged.version, logged.share, logged.predictions, known.value, known.at
    FROM registry.exposures AS logged
    LEFT JOIN (
        SELECT entity, min(id) AS first, min(at) AS at, (array_agg(value ORDER BY id DESC))[1] AS value
        FROM registry.outcomes WHERE experiment = %(name)s GROUP BY entity
    ) AS known USING (entity)
    WHERE logged.experiment = %(name)s
    ORDER BY known.first, logged.id
"""
_COLUMNS = ("unit", "cluster", "version", "share", "predictions", "value", "at")


@dataclass(frozen=True)
class Report:
    """`ratios` are of all units and of those with outcomes; none in shadow, where every version predicts every unit."""

    experiment: Experiment
    exposed: int
    known: int
    ratios: dict[str, Ratio]
    comparisons: list[Comparison]

    @property
    def trusted(self) -> bool:
        return all(ratio.as_planned for ratio in self.ratios.values())

    @property
    def verdict(self) -> str:
        if not self.trusted:
            wrong = "; ".join(f"{of}: {ratio}" for of, ratio in self.ratios.items() if not ratio.as_planned)
            return (
                f"Not valid: units did not come to the versions in the planned ratio ({wrong}). Nothing else here can"
                " be trusted. Find what loses or adds units of one version, and start again."
            )
        return " ".join(verdict_on(self.experiment, comparison) for comparison in self.comparisons)

    def as_json(self) -> dict[str, Any]:
        """Bounds that know no end are null: JSON has no infinity."""
        found = asdict(self)
        for comparison in found["comparisons"]:
            for shown in filter(None, (*comparison["looks"], comparison["fixed"])):
                shown |= {side: shown[side] if isfinite(shown[side]) else None for side in ("low", "high")}
        for ratio, shown in zip(self.ratios.values(), found["ratios"].values(), strict=True):
            shown["as_planned"] = ratio.as_planned
        return {**found, "trusted": self.trusted, "verdict": self.verdict}


def verdict_on(experiment: Experiment, comparison: Comparison) -> str:
    """One or two sentences: by the test where the planned size is reached, at any time before by the sequence."""
    names = f"version {comparison.treatment}", f"version {experiment.control}"
    planned = f"{experiment.planned_size:,}"
    if look := comparison.decisive:
        proof = f"the confidence sequence excluded no difference at {look.rows:,} rows ({look.at:%Y-%m-%d})"
        return f"{_better(experiment, names, look)}: {proof}."
    if comparison.fixed is None:
        return (
            f"Not decided between {names[0]} and {names[1]}: {comparison.rows:,} of {planned} planned rows have an"
            " outcome, and no difference is within the confidence sequence. Go on, or stop without a decision."
        )
    if comparison.fixed.significant:
        proof = f"p = {comparison.fixed.p:.2g} at the planned {planned} rows"
        return f"{_better(experiment, names, comparison.fixed)}: {proof}."
    return (
        f"No difference shown between {names[0]} and {names[1]} at the planned {planned} rows"
        f" (p = {comparison.fixed.p:.2g}): keep the control."
    )


def _better(experiment: Experiment, names: tuple[str, str], found: Look | Fixed) -> str:
    better = (found.effect > 0) == metrics.higher_is_better(experiment.metric)
    of, by = names if better else reversed(names)
    interval = (
        f"{experiment.metric} {found.effect:+.4f} ({found.low:+.4f} to {found.high:+.4f}), {names[0]} minus {names[1]}"
    )
    return f"{of.capitalize()} is better than {by}: {interval}"


def current_report(connection: Connection, model: Model, experiment: Experiment) -> Report:
    """With the outcomes that became known since the last one."""
    sync(connection, model, experiment)
    return report(connection, model, experiment)


def report(connection: Connection, model: Model, experiment: Experiment) -> Report:
    """Of the exposures and outcomes that are logged."""
    logged = pd.DataFrame(connection.execute(_LOGGED, {"name": experiment.name}).fetchall(), columns=list(_COLUMNS))
    known = logged[logged["value"].notna()].reset_index(drop=True)
    scored = scores(model, experiment, known)
    alpha = experiment.alpha / len(experiment.treatments)  # of all treatments together, by Bonferroni's inequality
    comparisons = [
        compare(treatment, arms(scored, experiment, treatment), experiment.planned_size, alpha, looks(known["at"]))
        for treatment in experiment.treatments
    ]
    return Report(experiment, len(logged), len(known), _ratios(experiment, logged, known), comparisons)


def scores(model: Model, experiment: Experiment, known: pd.DataFrame) -> pd.DataFrame:
    """A column for each version, the metric of the rows that it predicted, else NaN; and `share` and `cluster`.

    In a split only the version that answered counts.
    """
    found = pd.DataFrame({"share": known["share"].astype("float64"), "cluster": _clusters(known)})
    for version in experiment.versions:
        column = np.full(len(known), np.nan)
        counts = [
            version in numbers and (experiment.mode == "shadow" or version == answered)
            for numbers, answered in zip(known["predictions"], known["version"], strict=True)
        ]
        if any(counts):
            rows = known[counts]
            numbers = np.array([one[version] for one in rows["predictions"]], dtype=np.float64)
            column[counts] = metrics.by_row(model, experiment.metric, _truth(model, rows["value"]), numbers)
        found[version] = column
    return found


def looks(times: "pd.Series[datetime]") -> list[tuple[int, datetime]]:
    """Numbers of rows known at each look, and when: whenever outcomes became known, thinned out."""
    if times.empty:
        return []
    latest = times.cummax()
    ends = np.flatnonzero((latest != latest.shift(-1)).to_numpy())
    some = ends[np.unique(np.linspace(0, len(ends) - 1, min(len(ends), MOST_LOOKS)).round().astype(int))]
    return [(int(end) + 1, latest.iloc[end].to_pydatetime()) for end in some]


def arms(scored: pd.DataFrame, experiment: Experiment, treatment: str) -> Arms:
    """What `scores` found for the control and one treatment."""
    share = scored["share"].to_numpy()
    both = np.ones(len(scored))
    return Arms(
        control=scored[experiment.control].to_numpy(),
        treatment=scored[treatment].to_numpy(),
        chance_of_control=both if experiment.mode == "shadow" else 1 - share,
        chance_of_treatment=both if experiment.mode == "shadow" else share / len(experiment.treatments),
        cluster=scored["cluster"].to_numpy(),
    )


def _clusters(known: pd.DataFrame) -> Any:
    """Numbers of the groups; of units where one has rows in several groups, or a row has none."""
    whole = known["cluster"].notna().all() and known.groupby("unit")["cluster"].nunique().le(1).all()
    return pd.factorize(known["cluster" if whole else "unit"])[0]


def _truth(model: Model, values: "pd.Series[str]") -> Any:
    kind = object if isinstance(model.task, Classification) else np.float64
    return values.to_numpy(dtype=object).astype(kind)


def _ratios(experiment: Experiment, logged: pd.DataFrame, known: pd.DataFrame) -> dict[str, Ratio]:
    if experiment.mode == "shadow":
        return {}
    parts = {"all units": logged, "units with outcomes": known}
    return {of: sample_ratio(rows.drop_duplicates("unit"), experiment.versions) for of, rows in parts.items()}
