"""Whether a feature set gives its own answer away: by where its inputs come from, and by what they do.

Lineage finds what is derived from a forbidden quantity. What lineage cannot see, such as a column that arrived already
made of income, gives itself away in the rows: it tells the target alone, or it ranks rows as the quantity does.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from lastmile.learning.feature_set import FeatureSet
from lastmile.learning.lineage import Measures
from lastmile.learning.training import FEWEST_ROWS, SEED, inputs, target

#: No honest input tells the level by itself so well (measured on 2,517 real households: at most 0.66).
TELLS_ALONE = 0.98
#: Nor ranks households as income or consumption does (measured on the same: at most 0.43).
RANKS_ALIKE = 0.95
#: Rows worth looking at: enough to tell 0.95 from 0.90, and a second's work.
ENOUGH_ROWS = 5_000
_FOLDS = 3


def derived_inputs(features: FeatureSet, measures: Mapping[str, Measures]) -> dict[str, list[str]]:
    """Inputs derived from forbidden quantities, and from which. Raises KeyError where the source lacks an input."""
    relation = features.source.rpartition(".")[2]
    columns = measures[relation]
    unknown = [name for name in features.names() if name not in columns]
    if unknown:
        raise KeyError(f"{relation} has no columns {unknown}; feature set {features.name} names them as inputs")
    quantities = {name: sorted(columns[name] & features.forbidden) for name in features.names()}
    return {name: found for name, found in quantities.items() if found}


def telling_inputs(features: FeatureSet, rows: pl.DataFrame) -> dict[str, float]:
    """Inputs that alone tell the target of labelled `rows` nearly perfectly, with the score.

    That is balanced accuracy over the levels or area under the ROC curve for the question, whichever is higher, of a
    small tree on rows it did not see. Too few rows to train on are too few to tell: none are named then.
    """
    truth = target(features, rows)
    counts = np.unique(truth, return_counts=True)[1]
    if rows.height < FEWEST_ROWS or len(counts) < 2 or counts.min() < _FOLDS:
        return {}
    found = {name: _told_by(features, _as_number(features, rows, name), truth) for name in features.names()}
    return {name: score for name, score in found.items() if score > TELLS_ALONE}


def _told_by(features: FeatureSet, values: NDArray[np.float64], truth: NDArray[np.object_]) -> float:
    tree = DecisionTreeClassifier(max_leaf_nodes=16, class_weight="balanced", random_state=SEED)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=SEED)
    shares = cross_val_predict(tree, values.reshape(-1, 1), truth, cv=folds, method="predict_proba")
    levels = np.unique(truth)
    accuracy = float(balanced_accuracy_score(truth, levels[shares.argmax(axis=1)]))
    positive = np.isin(truth, features.positive)
    if positive.all() or not positive.any():
        return accuracy
    return max(accuracy, float(roc_auc_score(positive, shares[:, np.isin(levels, features.positive)].sum(axis=1))))


def ranking_inputs(features: FeatureSet, rows: pl.DataFrame, quantities: pl.DataFrame) -> dict[str, tuple[str, float]]:
    """Numeric inputs that rank `rows` as a column of `quantities` (the same rows) does, with it and the correlation.

    Spearman's, in absolute value: over all rows, or within groups, which may count in currencies of their own.
    """
    worst: dict[str, tuple[str, float]] = {}
    for name in features.names("numeric"):
        alike = {other.name: _rank_correlation(rows[name], other, rows[features.group]) for other in quantities}
        if alike and max(alike.values()) > RANKS_ALIKE:
            worst[name] = max(alike.items(), key=lambda item: item[1])
    return worst


def _rank_correlation(one: pl.Series, other: pl.Series, group: pl.Series) -> float:
    both = pl.DataFrame({"one": one, "other": other, "group": group}).drop_nulls()
    if both.height < FEWEST_ROWS:
        return 0.0
    over_all = both.select(pl.corr("one", "other", method="spearman")).item()
    within = (
        both.select((pl.col("one", "other").rank() / pl.len()).over("group")).select(pl.corr("one", "other")).item()
    )
    return float(np.nanmax([0.0, *(abs(found) for found in (over_all, within) if found is not None)]))


def _as_number(features: FeatureSet, rows: pl.DataFrame, name: str) -> NDArray[np.float64]:
    column = inputs(features, rows).select(name)
    number = OrdinalEncoder().fit_transform(column) if name in features.names("categorical") else column.to_numpy()
    return np.asarray(number, dtype=np.float64).ravel()
