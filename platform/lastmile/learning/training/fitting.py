"""Fitting a declared model, and splitting the rows so that it is evaluated on what it never saw.

Rows of one group resemble each other, so folds keep groups whole: the scores say how the model does on a new group, not
on new rows of a known one. The same rows give the same model.
"""

import hashlib
import inspect
import re
import warnings
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, TimeSeriesSplit
from threadpoolctl import threadpool_limits

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.model import ByTime, Classification, Model

SEED = 0
#: Below this the scores of five folds say nothing.
FEWEST_ROWS = 100
#: A missing category is one of its own: strings with nulls do not survive every model format.
MISSING = "(missing)"

#: Positions of the rows to train on, and of those to evaluate on.
Fold = tuple[NDArray[np.int_], NDArray[np.int_]]


#: Threads of one process wait for each other in a spin, which on a busy machine takes longer than the work: five folds
#: of 2,500 rows take 2.7 s with one thread, 3.6 to 37 s with two next to other processes; a single row, up to 5 s.
one_thread = partial(threadpool_limits, limits=1, user_api="openmp")


#: Of what NumPy says about inputs that no row has. What is ignored is ignored in all threads, so it is not for one.
quiet = partial(warnings.catch_warnings, action="ignore", category=RuntimeWarning)


class TooLittleData(Exception):
    """There are not enough rows, groups or levels to train and evaluate a model; the message counts them."""


def inputs(features: FeatureSet, rows: pd.DataFrame, names: Collection[str] | None = None) -> pd.DataFrame:
    """What an estimator is given, of all inputs or of these: text without nulls, and everything else as floats with NaN
    where unknown."""
    wanted = features.names() if names is None else names
    categories = rows[[name for name in features.names("categorical") if name in wanted]]
    numbers = rows[[name for name in features.names("numeric", "boolean") if name in wanted]]
    return categories.astype(object).where(categories.notna(), MISSING).join(numbers.astype("float64"))


def target(model: Model, rows: pd.DataFrame) -> NDArray[Any]:
    """Levels as strings, or numbers."""
    return rows[model.target].to_numpy(dtype=object if isinstance(model.task, Classification) else np.float64)


def learned(model: Model, rows: pd.DataFrame) -> NDArray[Any]:
    """What the estimator is fitted on: the target, or the number whose cuts the levels are."""
    return rows[model.learns_from].to_numpy(dtype=np.float64) if model.learns_from else target(model, rows)


def labelled(model: Model, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that can be learned from, by entity."""
    known = rows[[model.target, *([model.learns_from] if model.learns_from else [])]].notna().all(axis=1)
    return rows[known].sort_values(list(model.features.entity), ignore_index=True)


def fit(model: Model, rows: pd.DataFrame) -> Any:
    """The model's estimator fitted on `rows`, all of which have a target; it uses one thread.

    An estimator whose `fit` has a parameter `groups` is given the group of each row.
    """
    estimator = model.estimator()
    groups = {"groups": rows[model.features.group].astype(str).to_numpy()}
    known = groups if "groups" in inspect.signature(estimator.fit).parameters else {}
    with one_thread():
        return estimator.fit(inputs(model.features, rows, model.inputs), learned(model, rows), **known)


def folds(model: Model, rows: pd.DataFrame) -> list[Fold]:
    """No row is evaluated twice, nor by a model that saw its group. Raises TooLittleData where that cannot be."""
    if isinstance(model.split, ByTime):
        return _folds_by_time(model, rows, model.split.folds)
    truth, groups = target(model, rows), rows[model.features.group].to_numpy()
    count = min(model.split.folds, rows[model.features.group].nunique())
    levels = set(truth) if isinstance(model.task, Classification) else {"any", "number"}
    if len(rows) < FEWEST_ROWS or count < 2 or len(levels) < 2:
        raise TooLittleData(
            f"{model.features.name} has {len(rows)} labelled rows, {count} {model.features.group} and {len(levels)}"
            f" levels; training needs {FEWEST_ROWS} rows, two {model.features.group} and two levels"
        )
    if not isinstance(model.task, Classification):
        return list(GroupKFold(count, shuffle=True, random_state=SEED).split(truth, groups=groups))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=SEED)
    split = [fold for fold in splitter.split(truth, truth, groups) if len(fold[1])]
    return _with_two_levels(model, model.features.group, truth, split)


def _folds_by_time(model: Model, rows: pd.DataFrame, most: int) -> list[Fold]:
    """Whole partitions: each fold trains on all before the ones it is evaluated on."""
    times = rows[model.features.partition_column].to_numpy()
    partitions = np.unique(times)
    count = min(most, len(partitions) - 1)
    if len(rows) < FEWEST_ROWS or count < 1:
        raise TooLittleData(
            f"{model.features.name} has {len(rows)} labelled rows in {len(partitions)} partitions; training needs"
            f" {FEWEST_ROWS} rows and two partitions"
        )
    pairs = TimeSeriesSplit(count).split(partitions) if count > 1 else [(np.array([0]), np.array([1]))]
    split = [
        (np.flatnonzero(np.isin(times, partitions[early])), np.flatnonzero(np.isin(times, partitions[late])))
        for early, late in pairs
    ]
    if not isinstance(model.task, Classification):
        return split
    return _with_two_levels(model, "partition", target(model, rows), split)


def _with_two_levels(model: Model, part: str, truth: NDArray[Any], split: list[Fold]) -> list[Fold]:
    if any(len(set(truth[training])) < 2 for training, _ in split):
        raise TooLittleData(f"{model.features.name}: without one {part}, only one level is left to learn from")
    return split


def predicted(model: Model, estimator: Any, rows: pd.DataFrame) -> NDArray[np.float64]:
    """A line per row. Classes: a column per level in the task's order, 0 for one it never saw. Numbers: one column."""
    if not isinstance(model.task, Classification):
        with one_thread():
            values = estimator.predict(inputs(model.features, rows, model.inputs)) if len(rows) else []
        return np.asarray(values, dtype=np.float64).reshape(-1, 1)
    found = np.zeros((len(rows), len(model.task.levels)))
    if len(rows):
        seen = [model.task.levels.index(level) for level in estimator.classes_]
        with one_thread():
            found[:, seen] = estimator.predict_proba(inputs(model.features, rows, model.inputs))
    return found


def recipe(model: Model, code_version: str) -> str:
    """Twelve hex digits that change with how a model is made: inputs, target, estimator, code, library."""
    parameters = sorted(model.estimator().get_params().items())
    columns = [(column.name, column.kind) for column in model.features.inputs if column.name in model.inputs]
    made_of = (columns, model.target, model.learns_from, model.task, parameters, code_version, sklearn.__version__)
    # Of a function, `repr` shows where it lies in memory.
    return hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", repr(made_of)).encode()).hexdigest()[:12]
