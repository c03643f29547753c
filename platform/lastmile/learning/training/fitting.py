"""Fitting a declared model: what its estimator is given, learns and predicts. The same rows give the same model."""

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
from threadpoolctl import threadpool_limits

from lastmile.errors import naming_the_extra
from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.registry.onnx_session import MISSING
from lastmile.learning.training.narrowing import narrowed
from lastmile.telemetry.spans import span

SEED = 0

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
    """The model's estimator fitted on `rows`, all of which have a target; it uses one thread.

    Where the model has a search, or the most inputs it may use, its hyper-parameters and inputs are chosen on these
    rows alone: see `chosen` for which.
    """
    # Both fit models themselves, with what is in this module.
    from lastmile.learning.training.search import best_parameters
    from lastmile.learning.training.selection import chosen_inputs

    names = chosen_inputs(model, rows) if model.most_inputs else model.inputs
    return fit_as(model, rows, names, best_parameters(model, rows, names) if model.search else {})


def fit_as(model: Model, rows: pd.DataFrame, names: list[str], parameters: dict[str, Any]) -> Any:
    """The estimator fitted on these inputs only, with these hyper-parameters instead of its own. One whose `fit` has a
    parameter `groups` is given the group of each row."""
    estimator = narrowed(declared_estimator(model), names).set_params(**parameters)
    groups = {"groups": rows[model.features.group].astype(str).to_numpy()}
    known = groups if "groups" in inspect.signature(estimator.fit).parameters else {}
    with one_thread(), span("learning.fit", model=model.name, rows=len(rows)):
        estimator.fit(inputs(model.features, rows, names), learned(model, rows), **known)
    if not hasattr(estimator, "feature_names_in_"):  # scikit-learn's own have it, composites may not
        estimator.feature_names_in_ = np.array(names, dtype=object)
    return estimator


def declared_estimator(model: Model) -> Any:
    """Unfitted. Raises UserError that names the extra to install where its library is one of those."""
    with naming_the_extra(f"model {model.name}"):
        return model.estimator()


def used_inputs(model: Model, estimator: Any) -> list[str]:
    """The inputs that a fitted estimator was given, and must be given to predict."""
    return [str(name) for name in getattr(estimator, "feature_names_in_", model.inputs)]


def chosen(model: Model, estimator: Any) -> dict[str, Any]:
    """What `fit` chose: `inputs` where the model bounds their number, and the `parameters` that are not as declared."""
    declared = declared_estimator(model).get_params()
    found = {
        name: value
        for name, value in estimator.get_params().items()
        if isinstance(value, str | int | float | None) and repr(value) != repr(declared.get(name))
    }
    return {"inputs": used_inputs(model, estimator) if model.most_inputs else None, "parameters": found}


def predicted(model: Model, estimator: Any, rows: pd.DataFrame) -> NDArray[np.float64]:
    """A line per row. Classes: a column per level in the task's order, 0 for one it never saw. Numbers: one column."""
    names = used_inputs(model, estimator)
    if not isinstance(model.task, Classification):
        with one_thread():
            values = estimator.predict(inputs(model.features, rows, names)) if len(rows) else []
        return np.asarray(values, dtype=np.float64).reshape(-1, 1)
    found = np.zeros((len(rows), len(model.task.levels)))
    if len(rows):
        seen = [model.task.levels.index(level) for level in estimator.classes_]
        with one_thread():
            found[:, seen] = estimator.predict_proba(inputs(model.features, rows, names))
    return found


def recipe(model: Model, code_version: str) -> str:
    """Twelve hex digits that change with how a model is made: inputs, target, estimator, code, library."""
    parameters = sorted(declared_estimator(model).get_params().items())
    columns = [(column.name, column.kind) for column in model.features.inputs if column.name in model.inputs]
    choices = (model.most_inputs, model.search)
    made_of = (
        *(columns, model.target, model.learns_from, model.task, parameters, choices),
        *(code_version, sklearn.__version__),
    )
    # Of a function, `repr` shows where it lies in memory.
    return hashlib.sha256(re.sub(r" at 0x[0-9a-f]+", "", repr(made_of)).encode()).hexdigest()[:12]
