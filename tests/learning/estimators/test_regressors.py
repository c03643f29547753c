"""A number learned on a logarithmic scale, and from no more rows than are needed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from assets.household_survey.value import value_regressor
from lastmile.learning.estimators.sampled import Sampled
from lastmile.learning.estimators.scale import OnLogScale
from lastmile.learning.evaluation.held_out import MOST_ROWS


def test_a_number_is_learned_on_a_logarithmic_scale_between_its_bounds():
    rows = pd.DataFrame({"x": np.arange(5.0)})
    fitted = OnLogScale(LinearRegression(), 0.01, 100.0).fit(rows, np.exp(rows["x"]))
    assert fitted.predict(rows) == pytest.approx(np.exp(rows["x"].to_numpy()))
    same = pd.DataFrame({"x": np.zeros(2)})
    assert OnLogScale(LinearRegression(), 0.01, 100.0).fit(same, [0.0, 1e9]).predict(same) == pytest.approx([1.0, 1.0])


def test_a_sample_is_fitted_the_same_each_time_and_predictions_come_in_batches(monkeypatch):
    monkeypatch.setattr("lastmile.learning.estimators.sampled._BATCH", 300)
    random = np.random.default_rng(1)
    rows = pd.DataFrame({"x": random.normal(0, 1, 1_000)})
    number = 2 * rows["x"].to_numpy() + random.normal(0, 1, 1_000)
    one, other, whole = (Sampled(LinearRegression(), most).fit(rows, number) for most in (50, 50, 1_000))
    assert one.predict(rows).tolist() == other.predict(rows).tolist()
    assert one.predict(rows) != pytest.approx(whole.predict(rows))
    assert whole.predict(rows) == pytest.approx(LinearRegression().fit(rows, number).predict(rows))
    assert len(whole.predict(rows[:0])) == 0


def test_the_value_of_households_is_fitted_on_as_many_rows_as_it_is_evaluated_by():
    sampled = value_regressor().regressor
    assert isinstance(sampled, Sampled)
    assert sampled.most == MOST_ROWS
