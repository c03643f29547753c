"""Fitting a classifier of a feature set's levels, and parting the rows so that it is judged on groups it never saw.

Rows of one group resemble each other, so folds keep groups whole: the scores say how the model does on a new group, not
on new rows of a known one. The same rows give the same model.
"""

import hashlib
import warnings
from functools import partial

import numpy as np
import polars as pl
import sklearn
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

from lastmile.learning.feature_set import FeatureSet

SEED = 0
FOLDS = 5
#: Below this the scores of five folds say nothing.
FEWEST_ROWS = 100
#: A missing category is one of its own: strings with nulls do not survive every model format.
MISSING = "(missing)"

#: Positions of the rows to train on, and of those to judge by.
Fold = tuple[NDArray[np.int_], NDArray[np.int_]]


#: Threads of one process wait for each other in a spin, which on a busy machine takes longer than the work: five folds
#: of 2,500 rows take 2.7 s with one thread, 3.6 to 37 s with two beside other processes; a single row, up to 5 s.
one_thread = partial(threadpool_limits, limits=1, user_api="openmp")


#: Of what NumPy says about inputs that no row has. What is ignored is ignored in all threads, so it is not for one.
quiet = partial(warnings.catch_warnings, action="ignore", category=RuntimeWarning)


class TooLittleData(Exception):
    """There are not enough rows, groups or levels to train and judge a model; the message counts them."""


def classifier(features: FeatureSet) -> Pipeline:
    """An unfitted pipeline from `inputs` to levels.

    Boosted trees, because they take missing numbers as they are. Categories are encoded before the trees: trees that
    know categories themselves convert to ONNX silently wrong. Levels weigh the same whatever their frequency, so a
    probability is the evidence for a level where all are equally common, not its frequency.
    """
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=20)
    encode = ColumnTransformer(
        [
            ("categories", ordinal, features.names("categorical")),
            ("numbers", "passthrough", features.names("numeric", "boolean")),
        ],
        verbose_feature_names_out=False,
    )
    trees = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=100,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        class_weight="balanced",
        early_stopping=False,
        random_state=SEED,
    )
    # Of inputs that no row has, or all the same, the trees would make an error or nothing.
    return Pipeline([("encode", encode), ("drop_constant", VarianceThreshold()), ("classify", trees)])


def inputs(features: FeatureSet, rows: pl.DataFrame) -> pl.DataFrame:
    """The model's columns, typed as it takes them: text without nulls, and Float64 with nulls where unknown."""
    return rows.select(
        *(pl.col(name).cast(pl.String).fill_null(MISSING) for name in features.names("categorical")),
        *(pl.col(name).cast(pl.Float64) for name in features.names("numeric", "boolean")),
    )


def target(features: FeatureSet, rows: pl.DataFrame) -> NDArray[np.object_]:
    return rows[features.target].to_numpy().astype(object)


def fit(features: FeatureSet, rows: pl.DataFrame) -> Pipeline:
    """A pipeline fitted on `rows`, all of which have a level; it takes one thread."""
    with one_thread():
        return classifier(features).fit(inputs(features, rows), target(features, rows))


def folds(features: FeatureSet, rows: pl.DataFrame) -> list[Fold]:
    """Every row is judged by once, and no group is on both sides. Raises TooLittleData where that cannot be."""
    count = min(FOLDS, rows[features.group].n_unique())
    levels, groups = target(features, rows), rows[features.group].to_numpy()
    if rows.height < FEWEST_ROWS or count < 2 or len(set(levels)) < 2:
        raise TooLittleData(
            f"{features.name} has {rows.height} labelled rows, {count} {features.group} and {len(set(levels))} levels; "
            f"training needs {FEWEST_ROWS} rows, two {features.group} and two levels"
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=SEED)
    split = [fold for fold in splitter.split(levels, levels, groups) if len(fold[1])]
    if any(len(set(levels[training])) < 2 for training, _ in split):
        raise TooLittleData(f"{features.name}: without one {features.group}, only one level is left to learn from")
    return split


def probabilities(features: FeatureSet, model: Pipeline, rows: pl.DataFrame) -> NDArray[np.float64]:
    """One line per row and one column per level, in the feature set's order; 0 for a level the model never saw."""
    found = np.zeros((rows.height, len(features.levels)))
    if rows.height:
        seen = [features.levels.index(level) for level in model.classes_]
        with one_thread():
            found[:, seen] = model.predict_proba(inputs(features, rows))
    return found


def recipe(features: FeatureSet) -> str:
    """Twelve hex digits that change with how a model is made: inputs, target, parameters, library."""
    parameters = sorted(classifier(features).get_params().items())
    made_of = (features.inputs, features.target, features.levels, parameters, sklearn.__version__)
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]
