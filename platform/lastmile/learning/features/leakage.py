"""Whether a feature set gives its own answer away: by what its inputs are made of, and by what they do.

Lineage knows which columns of the sources measure a forbidden quantity. An input is derived from them if it changes
when they do: the declared function is run once more on other values of theirs (SQL is followed as it is written).
What neither can see, such as a column that arrived already made of income, gives itself away in the rows: it tells the
target alone, or it ranks rows as the quantity does.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.features.building import make
from lastmile.learning.features.lineage import Measures, query_measures
from lastmile.learning.training.duplicates import near_duplicates
from lastmile.learning.training.fitting import SEED, inputs
from lastmile.learning.training.folds import FEWEST_ROWS

#: No honest input tells the level by itself so well (measured on 2,517 real households: at most 0.66).
TELLS_ALONE = 0.98
#: Nor ranks households as income or consumption does (measured on the same: at most 0.43).
RANKS_ALIKE = 0.95
#: Rows worth looking at: enough to tell 0.95 from 0.90, and a second's work.
ENOUGH_ROWS = 5_000
#: Rows to look for near-copies in: of a set that they flood, enough others are among them.
_ROWS_WITH_COPIES = 50_000
#: Of rows on either side of a cut through the levels: on fewer a small tree is right by luck.
_FEWEST_OF_SIDE = 30
_FOLDS = 3

Frames = Mapping[str, pd.DataFrame]
#: Places of the rows that are known, and of those to predict.
Fold = tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]]


def sample(features: FeatureSet, rows: pd.DataFrame, most: int = ENOUGH_ROWS) -> pd.DataFrame:
    """Up to so many rows, labelled ones first, always the same ones."""
    mixed = pd.util.hash_pandas_object(rows[list(features.entity)], index=False).to_numpy()
    order = pd.DataFrame({"unlabelled": rows[list(features.targets)].isna().all(axis=1).to_numpy(), "mixed": mixed})
    return rows.iloc[order.sort_values(["unlabelled", "mixed"]).index[:most]].reset_index(drop=True)


def sample_without_copies(features: FeatureSet, rows: pd.DataFrame) -> pd.DataFrame:
    """The same of rows of which near-copies count once. Where a few rows have thousands of them, whatever differs
    between these few tells the target alone."""
    some = sample(features, rows, _ROWS_WITH_COPIES)
    different = near_duplicates(features, some, features.names()) == np.arange(len(some))
    return sample(features, some[different])


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
            folds = [*StratifiedKFold(_FOLDS, shuffle=True, random_state=SEED).split(truth, truth)]
            columns = inputs(features, known)
            for name in features.names():
                values = _as_numbers(columns[[name]], name in features.names("categorical"))
                worst[name] = max(worst.get(name, 0.0), _told_by(values, truth, folds))
    return {name: score for name, score in worst.items() if score > TELLS_ALONE}


def _told_by(values: NDArray[np.float32], truth: NDArray[np.integer[Any]], folds: Sequence[Fold]) -> float:
    levels = np.unique(truth)
    shares = np.empty((len(truth), len(levels)))
    for known, unseen in folds:
        tree = DecisionTreeClassifier(max_leaf_nodes=16, class_weight="balanced", random_state=SEED)
        tree.fit(values[known], truth[known])
        shares[unseen] = tree.predict_proba(values[unseen])
    right = levels[shares.argmax(axis=1)] == truth
    scores = [float(np.mean([right[truth == level].mean() for level in levels]))]
    for cut in levels[1:]:
        above = truth >= cut
        if min(above.sum(), (~above).sum()) >= _FEWEST_OF_SIDE:
            scores.append(_area_under_roc(above, shares[:, levels >= cut].sum(axis=1)))
    return max(scores)


def _area_under_roc(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """From the ranks of what is true (Mann and Whitney, 1947): scikit-learn's takes 5 ms for each of 60 calls."""
    true, false = truth.sum(), (~truth).sum()
    return float((rankdata(scores)[truth].sum() - true * (true + 1) / 2) / (true * false))


def ranking_inputs(features: FeatureSet, rows: pd.DataFrame, quantities: pd.DataFrame) -> dict[str, tuple[str, float]]:
    """Numeric inputs that rank `rows` as a column of `quantities` (the same rows) does, with it and the correlation.

    Spearman's, in absolute value: over all rows, or within groups, which may count in currencies of their own.
    """
    numbers = rows[list(features.names("numeric"))].astype("float64")
    worst: dict[str, tuple[str, float]] = {}
    for names, has_number in _by_what_is_known(numbers):
        for others, has_quantity in _by_what_is_known(quantities):
            both = has_number & has_quantity
            if both.sum() >= FEWEST_ROWS:
                alike = _rank_correlations(
                    numbers.loc[both, names], quantities.loc[both, others].astype("float64"), rows[features.group][both]
                )
                for name, other in zip(*np.nonzero(alike > RANKS_ALIKE), strict=True):
                    score = float(alike[name, other])
                    if score > worst.get(names[name], ("", 0.0))[1]:
                        worst[names[name]] = (str(others[other]), score)
    return worst


def _by_what_is_known(columns: pd.DataFrame) -> Iterator[tuple[list[str], NDArray[np.bool_]]]:
    """The columns that have values in the same rows, and which rows those are: few of them miss any."""
    found: dict[bytes, list[str]] = defaultdict(list)
    for name in columns:
        found[columns[name].notna().to_numpy().tobytes()].append(str(name))
    for known, names in found.items():
        yield names, np.frombuffer(known, dtype=np.bool_)


def _rank_correlations(ones: pd.DataFrame, others: pd.DataFrame, group: pd.Series) -> NDArray[np.float64]:
    """Of each of `ones`, down, with each of `others`, across, none of which misses a value."""
    both = pd.concat([ones, others], axis=1).set_axis(range(ones.shape[1] + others.shape[1]), axis=1)
    ranks = both.rank(), both.groupby(group.to_numpy()).rank(pct=True)
    with np.errstate(invalid="ignore", divide="ignore"):  # a column of one value ranks nothing
        alike = [np.abs(np.corrcoef(ranked.to_numpy(), rowvar=False)) for ranked in ranks]
    found: NDArray[np.float64] = np.fmax(0.0, np.fmax(*alike))
    return found[: ones.shape[1], ones.shape[1] :]


def _as_numbers(column: pd.DataFrame, is_categorical: bool) -> NDArray[np.float32]:
    return np.asarray(OrdinalEncoder().fit_transform(column) if is_categorical else column, dtype=np.float32)
