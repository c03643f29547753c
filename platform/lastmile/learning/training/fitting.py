"""Fitting a declared model: what its estimator is given, learns and predicts. The same rows give the same model."""

import hashlib
import re
import warnings
from collections.abc import Collection
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.model import Classification, Model

SEED = 0
#: A missing category is one of its own: strings with nulls do not survive every model format.
MISSING = "(missing)"

#: Threads of one process wait for each other in a spin, which on a busy machine takes longer than the work: five folds
#: of 2,500 rows take 2.7 s with one thread, 3.6 to 37 s with two next to other processes; a single row, up to 5 s.
one_thread = partial(threadpool_limits, limits=1, user_api="openmp")


#: Of what NumPy says about inputs that no row has. What is ignored is ignored in all threads, so it is not for one.
quiet = partial(warnings.catch_warnings, action="ignore", category=RuntimeWarning)


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
    """The model's estimator fitted on `rows`, all of which have a target; it uses one thread."""
    with one_thread():
        return model.estimator().fit(inputs(model.features, rows, model.inputs), learned(model, rows))


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
