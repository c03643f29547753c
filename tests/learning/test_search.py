"""Searching hyper-parameters: within the training rows, bounded, the same each time, and never worse than declared."""

import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fields import HARVEST, YIELD, trees

from lastmile.errors import UserError
from lastmile.learning import Grouped, Regression, Search
from lastmile.learning.evaluation.evaluation import train_and_evaluate
from lastmile.learning.training import search as searching
from lastmile.learning.training.fitting import chosen, fit, predicted
from lastmile.learning.training.search import best_parameters

LEAVES = "histgradientboostingclassifier__max_leaf_nodes"
STEPS = "histgradientboostingclassifier__max_iter"


def few_steps(trial: Any) -> dict[str, Any]:
    return {STEPS: trial.suggest_int("steps", 1, 8, log=True), LEAVES: trial.suggest_int("leaves", 2, 15)}


QUICK = replace(YIELD, estimator=lambda: trees().set_params(histgradientboostingclassifier__max_iter=5))
SEARCHED = replace(QUICK, search=Search(few_steps, trials=5))


def ridge() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["soil"]), remainder="passthrough")
    return make_pipeline(encode, Ridge(alpha=1e6))


#: Declared with a penalty that leaves nothing but the mean; the space has better ones.
PENALISED = replace(
    HARVEST,
    estimator=ridge,
    task=Regression(unit="kg"),
    search=Search(lambda trial: {"ridge__alpha": trial.suggest_float("alpha", 1e-3, 1e6, log=True)}, trials=8),
)


def test_a_better_parameter_is_found_and_the_model_is_fitted_with_it(rows: pd.DataFrame) -> None:
    estimator = fit(PENALISED, rows)
    assert estimator.get_params()["ridge__alpha"] < 1e4
    assert chosen(PENALISED, estimator)["parameters"] == {"ridge__alpha": estimator.get_params()["ridge__alpha"]}
    found = train_and_evaluate(replace(PENALISED, split=Grouped(folds=2)), rows).evaluation
    declared = train_and_evaluate(replace(PENALISED, search=None, split=Grouped(folds=2)), rows).evaluation
    assert found.scores["r2_score"] > declared.scores["r2_score"] + 0.3


def test_the_declared_parameters_stay_where_no_trial_is_better(rows: pd.DataFrame) -> None:
    worse = Search(lambda trial: {STEPS: trial.suggest_int("steps", 1, 1)}, trials=3)
    assert best_parameters(replace(QUICK, search=worse), rows, QUICK.inputs) == {}


def test_the_same_rows_give_the_same_parameters(rows: pd.DataFrame) -> None:
    first, second = (best_parameters(SEARCHED, rows, SEARCHED.inputs) for _ in range(2))
    assert first == second


def test_no_fold_searches_by_rows_that_evaluate_it(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[set[str]] = []

    def remember(model: Any, training: pd.DataFrame, names: list[str]) -> dict[str, Any]:
        searched.append(set(training["village"]))
        return {}

    monkeypatch.setattr(searching, "best_parameters", remember)
    train_and_evaluate(SEARCHED, rows)
    villages = set(rows["village"])
    assert sorted(map(len, searched))[-1] == len(villages)  # the model itself
    newest = set(rows["village"][rows["season"] == rows["season"].max()])  # not seen by the model of earlier seasons
    searched.remove(villages - newest)
    assert sum(len(villages - seen) for seen in searched) == len(villages)  # each fold without its own


def test_a_search_ends_when_its_time_is_over(rows: pd.DataFrame) -> None:
    endless = replace(QUICK, search=Search(few_steps, trials=100_000, seconds=1))
    began = time.monotonic()
    best_parameters(endless, rows, endless.inputs)
    assert time.monotonic() - began < 60


def test_a_trial_that_is_worse_on_its_first_fold_is_not_fitted_on_the_others(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[float] = []
    fit_as = searching.fit_as

    def counted(model: Any, training: pd.DataFrame, names: list[str], parameters: dict[str, Any]) -> Any:
        fitted.append(parameters.get("ridge__alpha", np.nan))
        return fit_as(model, training, names, parameters)

    monkeypatch.setattr(searching, "fit_as", counted)
    best_parameters(replace(PENALISED, search=replace(PENALISED.search, trials=15)), rows, PENALISED.inputs)
    assert 3 * (4 + 1) < len(fitted) < 3 * (15 + 1)


def test_probabilities_of_a_searched_model_are_those_of_the_parameters_found(rows: pd.DataFrame) -> None:
    found = predicted(SEARCHED, fit(SEARCHED, rows), rows)
    assert np.allclose(found.sum(axis=1), 1)


def test_without_optuna_the_error_names_the_extra(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"the search of model fields needs the package optuna: .* lastmile\[search\]"):
        fit(SEARCHED, rows)
