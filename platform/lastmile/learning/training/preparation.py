"""The rows a model learns from: near-copies count once, and no group has the say.

Rows are left out, never changed; what was left out is counted in `facts` and said in `notes`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.model import ByTime, Classification, Model
from lastmile.learning.evaluation.resampling import error_of_mean
from lastmile.learning.training.duplicates import near_duplicates
from lastmile.learning.training.fitting import SEED

#: Near-copies within one group that are no accident, of so many rows: neighbours may live alike.
_FLOOD = 10
#: The largest group has at most this share of the rows, where there are at least so many groups.
_MOST_OF_ROWS, _FEWEST_GROUPS = 0.5, 5


@dataclass(frozen=True)
class Prepared:
    """`facts` of the rows, as JSON: `labelled` and `used` rows, `near_duplicates` left out, `groups`, `largest_group`
    and `largest_group_share` of the labelled rows; of the used rows `label_shares` (of a number its `mean` and `sd`)
    and `label_errors`, their standard errors over groups. `notes` are sentences."""

    rows: pd.DataFrame
    facts: dict[str, Any]
    notes: list[str]


def prepare(model: Model, labelled: pd.DataFrame) -> Prepared:
    """Of rows with a target, those to train on, in their order.

    Of near-copies in several groups, or of many in one, the one of the earliest partition is kept, and there of the
    smallest group. By time only floods count: an entity may look the same in one partition after another.
    """
    features = model.features
    sizes = labelled[features.group].value_counts(dropna=False)
    cluster = near_duplicates(features, labelled, model.inputs)
    kept = _kept(model, labelled, cluster)
    different = labelled if kept.all() else labelled[kept]  # a copy of a million rows is a GB
    used = _capped(features, different)
    copies, share = len(labelled) - len(different), float(sizes.iloc[0] / len(labelled)) if len(labelled) else 0.0
    largest = str(sizes.index[0]) if len(sizes) else None
    facts = {
        "labelled": len(labelled),
        "used": len(used),
        "near_duplicates": copies,
        "groups": int(labelled[features.group].nunique(dropna=False)),
        "largest_group": largest,
        "largest_group_share": share,
        **_labels(model, used),
    }
    return Prepared(used.reset_index(drop=True), facts, _notes(features, facts, len(different)))


def _kept(model: Model, rows: pd.DataFrame, cluster: NDArray[np.intp]) -> NDArray[np.bool_]:
    features = model.features
    groups = pd.factorize(rows[features.group], use_na_sentinel=False)[0]
    size = np.bincount(cluster, minlength=len(rows))[cluster] if len(rows) else cluster
    spans = np.zeros(len(rows), dtype=bool)
    if not isinstance(model.split, ByTime):
        spans = pd.Series(groups).groupby(cluster).transform("nunique").to_numpy() > 1
    counts_once = spans | (size >= _FLOOD)
    order = np.lexsort((np.bincount(groups)[groups], rows[features.partition_column].to_numpy(), cluster))
    first = np.zeros(len(rows), dtype=bool)
    first[order] = np.append(True, np.diff(cluster[order]) != 0)[: len(rows)]
    kept: NDArray[np.bool_] = ~counts_once | first
    return kept


def _capped(features: FeatureSet, rows: pd.DataFrame) -> pd.DataFrame:
    """With as many rows of the largest group as all others have, chosen by a seeded draw."""
    groups = rows[features.group]
    sizes = groups.value_counts(dropna=False)
    if len(sizes) < _FEWEST_GROUPS or sizes.iloc[0] <= _MOST_OF_ROWS * len(rows):
        return rows
    largest = np.flatnonzero(groups.isna() if pd.isna(sizes.index[0]) else groups == sizes.index[0])
    surplus = sizes.iloc[0] - (len(rows) - sizes.iloc[0])
    left_out = np.random.default_rng(SEED).choice(largest, surplus, replace=False)
    return rows.drop(index=rows.index[left_out])


def _labels(model: Model, rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    groups = rows[model.features.group].to_numpy()
    columns: dict[str, NDArray[np.float64]]
    if isinstance(model.task, Classification):
        columns = {level: (rows[model.target] == level).to_numpy().astype(np.float64) for level in model.task.levels}
        shares = {level: float(column.mean()) for level, column in columns.items()}
    else:
        columns = {"mean": rows[model.target].to_numpy(dtype=np.float64)}
        shares = {"mean": float(columns["mean"].mean()), "sd": float(columns["mean"].std())}
    return {"label_shares": shares, "label_errors": {name: error_of_mean(of, groups) for name, of in columns.items()}}


def _notes(features: FeatureSet, facts: dict[str, Any], different: int) -> list[str]:
    notes = []
    if facts["near_duplicates"]:
        notes.append(
            f"{facts['near_duplicates']:,} of {facts['labelled']:,} labelled rows are near-copies of others and left"
            " out: of near-copies one counts"
        )
    if facts["used"] < different:
        notes.append(
            f"more than half of the rows are of one {features.group}, so {different - facts['used']:,} of its rows,"
            " chosen at random, are left out"
        )
    return notes
