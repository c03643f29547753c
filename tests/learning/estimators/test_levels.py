"""Levels learned from the number they are cuts of: probabilities that hold on groups that were not seen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from lastmile.learning.estimators.levels import LevelsFromNumber
from lastmile.learning.estimators.scale import OnLogScale

LEVELS, BOUNDS = ("high", "middle", "low"), (2.0, 1.0)


def drawn(groups: int, size: int, of_group: float, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Numbers around exp(x), whose errors are of the group by `of_group` and of the row by 0.5."""
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), size)
    x = random.normal(0, 1, len(group))
    errors = random.normal(0, of_group, groups)[group] + random.normal(0, 0.5, len(group))
    return pd.DataFrame({"x": x}), np.exp(x + errors), group


def estimator(**options) -> LevelsFromNumber:
    return LevelsFromNumber(OnLogScale(LinearRegression(), 1e-3, 1e3), LEVELS, BOUNDS, **options)


def share_of_low(found: np.ndarray, number: np.ndarray, sure: float) -> float:
    """Of the rows that are said to be low with probability `sure` or more, those that are."""
    return float((number[found[:, 2] >= sure] < 1.0).mean())


def test_probabilities_are_a_column_per_level_and_as_often_right_as_they_say():
    rows, number, group = drawn(200, 10, 0.5, seed=1)
    found = estimator().fit(rows, number, groups=group).predict_proba(rows)
    assert found.shape == (2_000, 3)
    assert found.sum(axis=1) == pytest.approx(1.0)
    assert (found >= 0).all()
    truth = np.column_stack([number >= 2.0, (number >= 1.0) & (number < 2.0), number < 1.0])
    assert found.mean(axis=0) == pytest.approx(truth.mean(axis=0), abs=0.02)


def test_errors_are_those_of_groups_not_seen():
    """Ten groups that differ much, with an input that tells the group: known, they are easy; a new one is not."""
    rows, number, group = drawn(10, 100, 1.0, seed=2)
    known = pd.concat([rows, pd.get_dummies(pd.Series(group), dtype=float).add_prefix("group ")], axis=1)
    without = estimator().fit(known, number).errors_below_
    by_group = estimator(folds=10).fit(known, number, groups=group)
    alike = estimator(folds=10).fit(known, number)
    spread = [np.interp(0.9, one.errors_below_, one.error_points_) for one in (by_group, alike)]
    assert spread[0] > 1.5 * spread[1]
    assert len(without) == len(by_group.errors_below_)


def test_bounds_are_inclusive_and_an_exact_one_may_fall_a_hair_short():
    rows = pd.DataFrame({"x": np.zeros(400)})
    number = np.tile([2.0, 1.9999999999, 1.0, 0.9], 100)
    fitted = estimator().fit(rows, number)
    assert fitted.prior_.tolist() == [0.5, 0.25, 0.25]


def test_the_level_named_is_the_one_with_the_most_evidence_next_to_how_common_it_is():
    rows, number, group = drawn(50, 20, 0.2, seed=3)
    fitted = estimator().fit(rows, number * 0.5, groups=group)
    likeliest = np.array(LEVELS)[fitted.predict_proba(rows).argmax(axis=1)]
    named = fitted.predict(rows)
    assert (named == "middle").sum() > (likeliest == "middle").sum()
    assert set(named) == set(LEVELS)


def test_many_rows_do_not_make_the_errors_dearer():
    rows, number, _ = drawn(3_000, 1, 0.0, seed=4)
    fits = []

    class Counting(LinearRegression):
        def fit(self, X, y):  # noqa: N803
            fits.append(len(X))
            return super().fit(X, y)

    LevelsFromNumber(OnLogScale(Counting(), 1e-3, 1e3), LEVELS, BOUNDS, folds=4, rows_for_errors=400).fit(rows, number)
    assert fits == [300, 300, 300, 300, 3_000]
