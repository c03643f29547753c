"""Whether a feature set gives its own answer away: by what its inputs are made of, and by what they do.

Lineage knows which columns of the sources measure a forbidden quantity. An input is derived from them if it changes
when they do: the declared function is run once more on other values of theirs (SQL is followed as it is written).
What neither can see, such as a column that arrived already made of income, gives itself away in the rows: it tells the
target alone, or it ranks rows as the quantity does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.features import make
from lastmile.learning.lineage import Measures, query_measures
from lastmile.learning.training import FEWEST_ROWS, SEED, inputs

#: No honest input tells the level by itself so well (measured on 2,517 real households: at most 0.66).
TELLS_ALONE = 0.98
#: Nor ranks households as income or consumption does (measured on the same: at most 0.43).
RANKS_ALIKE = 0.95
#: Rows worth looking at: enough to tell 0.95 from 0.90, and a second's work.
ENOUGH_ROWS = 5_000
#: Of rows on either side of a cut through the levels: on fewer a small tree is right by luck.
_FEWEST_OF_SIDE = 30
_FOLDS = 3

Frames = Mapping[str, pd.DataFrame]


def sample(features: FeatureSet, rows: pd.DataFrame) -> pd.DataFrame:
    """Up to `ENOUGH_ROWS` rows, labelled ones first, always the same ones."""
    mixed = pd.util.hash_pandas_object(rows[list(features.entity)], index=False)
    order = pd.DataFrame({"unlabelled": rows[list(features.targets)].isna().all(axis=1).to_numpy(), "mixed": mixed})
    return rows.iloc[order.sort_values(["unlabelled", "mixed"]).index[:ENOUGH_ROWS]].reset_index(drop=True)


def derived_inputs(features: FeatureSet, measures: Mapping[str, Measures], frames: Frames) -> dict[str, list[str]]:
    """Inputs derived from forbidden quantities, and from which.

    `measures` is of the tables of the warehouse by name, `frames` are a sample of the sources. Raises KeyError where
    a source is none, so that nothing is known of its columns.
    """
    if not features.forbidden:
        return {}
    columns = {name: measures[name] for name in features.tables()}
    if features.query is not None:
        found = query_measures(features.query, columns)
        derived = {name: sorted(found[name] & features.forbidden) for name in features.names()}
    else:
        before = make(features, frames)
        by_quantity = {
            quantity: _changed(features, before, make(features, _altered(columns, frames, quantity)))
            for quantity in sorted(features.forbidden)
        }
        derived = {name: [q for q, changed in by_quantity.items() if name in changed] for name in features.names()}
    return {name: quantities for name, quantities in derived.items() if quantities}


def _altered(columns: Mapping[str, Measures], frames: Frames, quantity: str) -> Frames:
    """The frames with other values in the columns that measure the quantity, of the same types and as often missing."""

    def of_another_row(values: pd.Series) -> pd.Series:
        moved = pd.Series(np.roll(values.to_numpy(), 1), values.index, dtype=values.dtype)
        is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        return moved * 2 + 1 if is_number else moved

    return {
        name: frame.assign(
            **{
                column: of_another_row(frame[column])
                for column, quantities in columns[name].items()
                if quantity in quantities and column in frame.columns
            }
        )
        for name, frame in frames.items()
    }


def _changed(features: FeatureSet, before: pd.DataFrame, after: pd.DataFrame) -> set[str]:
    """Inputs with another value for an entity that both frames have."""
    entity = list(features.entity)
    both = before.merge(after, on=entity, suffixes=("", " after"), how="inner")
    return {
        name
        for name in features.names()
        if not both[name].reset_index(drop=True).equals(both[f"{name} after"].rename(name).reset_index(drop=True))
    }


def forbidden_numbers(
    features: FeatureSet, measures: Mapping[str, Measures], frames: Frames, rows: pd.DataFrame
) -> pd.DataFrame:
    """For each of `rows`, the numbers in the sources that measure a forbidden quantity, and the targets that are
    numbers."""
    entity, found = list(features.entity), rows[list(features.entity)]
    for name, frame in frames.items():
        numbers = [
            column
            for column, quantities in measures.get(name, {}).items()
            if quantities & features.forbidden and column in frame and pd.api.types.is_float_dtype(frame[column])
        ]
        if numbers and set(entity) <= set(frame.columns):
            of_entity = frame[[*entity, *numbers]].drop_duplicates(entity)
            found = found.merge(of_entity, on=entity, how="left", suffixes=("", f" of {name}"))
    targets = {
        f"target {name}": rows[name].to_numpy() for name in features.targets if features.columns[name].kind == "numeric"
    }
    return found.drop(columns=entity).assign(**targets)


def telling_inputs(features: FeatureSet, rows: pd.DataFrame) -> dict[str, float]:
    """Inputs that alone tell a target of `rows` nearly perfectly, with the score.

    That is balanced accuracy over the levels or area under the ROC curve for a cut through them, whichever is higher,
    of a small tree on rows it did not see. Too few rows to train on are too few to tell: none are named then.
    """
    worst: dict[str, float] = {}
    for target in features.targets:
        levels, known = features.columns[target].levels, rows[rows[target].notna()]
        counts = known[target].value_counts()
        if levels and len(known) >= FEWEST_ROWS and len(counts) > 1 and counts.min() >= _FOLDS:
            truth = known[target].map({level: place for place, level in enumerate(levels)}).to_numpy()
            for name in features.names():
                worst[name] = max(worst.get(name, 0.0), _told_by(_as_number(features, known, name), truth))
    return {name: score for name, score in worst.items() if score > TELLS_ALONE}


def _told_by(values: NDArray[np.float64], truth: NDArray[np.integer[Any]]) -> float:
    tree = DecisionTreeClassifier(max_leaf_nodes=16, class_weight="balanced", random_state=SEED)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=SEED)
    shares = cross_val_predict(tree, values.reshape(-1, 1), truth, cv=folds, method="predict_proba")
    levels = np.unique(truth)
    scores = [balanced_accuracy_score(truth, levels[shares.argmax(axis=1)])]
    for cut in levels[1:]:
        above = truth >= cut
        if min(above.sum(), (~above).sum()) >= _FEWEST_OF_SIDE:
            scores.append(roc_auc_score(above, shares[:, levels >= cut].sum(axis=1)))
    return float(max(scores))


def ranking_inputs(features: FeatureSet, rows: pd.DataFrame, quantities: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Numeric inputs that rank `rows` as a column of `quantities` (the same rows) does, with it and the correlation.

    Spearman's, in absolute value: over all rows, or within groups, which may count in currencies of their own.
    """
    worst: dict[str, tuple[str, float]] = {}
    for name in features.names("numeric"):
        alike = {
            str(other): _rank_correlation(rows[name], quantities[other], rows[features.group]) for other in quantities
        }
        if alike and max(alike.values()) > RANKS_ALIKE:
            worst[name] = max(alike.items(), key=lambda item: item[1])
    return worst


def _rank_correlation(one: pd.Series, other: pd.Series, group: pd.Series) -> float:
    frame = {"one": one.to_numpy("float64"), "other": other.to_numpy("float64"), "group": group.to_numpy()}
    both = pd.DataFrame(frame).dropna()
    if len(both) < FEWEST_ROWS:
        return 0.0
    over_all = both["one"].corr(both["other"], method="spearman")
    ranks = both.groupby("group")[["one", "other"]].rank(pct=True)
    within = ranks["one"].corr(ranks["other"])
    return float(np.nanmax([0.0, abs(over_all), abs(within)]))


def _as_number(features: FeatureSet, rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    column = inputs(features, rows)[[name]]
    number = OrdinalEncoder().fit_transform(column) if name in features.names("categorical") else column.to_numpy()
    return np.asarray(number, dtype=np.float64).ravel()
