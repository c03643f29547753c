"""Training: the same rows give the same model, and what is unknown is predicted all the same."""

from dataclasses import replace

import numpy as np
import pandas as pd
from fields import FIELDS, LEVELS, YIELD, trees, with_inputs
from sklearn.dummy import DummyClassifier

from lastmile.learning.registry.onnx_session import MISSING
from lastmile.learning.training.fitting import fit, inputs, predicted, recipe


def test_an_estimator_is_given_text_without_nulls_and_floats(rows: pd.DataFrame) -> None:
    unknown = rows.assign(soil=rows["soil"].where(rows.index > 0), rain_mm=rows["rain_mm"].where(rows.index > 0))
    given = inputs(FIELDS, unknown)
    assert list(given.columns) == ["soil", "rain_mm", "noise", "irrigated"]
    assert given["soil"][0] == MISSING
    assert np.isnan(given["rain_mm"][0])
    assert [str(kind) for kind in given.dtypes] == ["object", "float64", "float64", "float64"]


def test_the_same_rows_give_the_same_model(rows: pd.DataFrame) -> None:
    first, second = (predicted(YIELD, fit(YIELD, rows), rows) for _ in range(2))
    assert np.array_equal(first, second)


def test_probabilities_come_in_the_levels_order_and_add_up_to_one(rows: pd.DataFrame) -> None:
    found = predicted(YIELD, fit(YIELD, rows), rows)
    assert np.allclose(found.sum(axis=1), 1)
    assert (np.array(LEVELS)[found.argmax(axis=1)] == rows["yield_level"]).mean() > 0.9


def test_a_level_no_row_has_gets_no_probability(rows: pd.DataFrame) -> None:
    without = rows[rows["yield_level"] != "middle"]
    assert not predicted(YIELD, fit(YIELD, without), rows)[:, 1].any()


def test_no_rows_have_no_probabilities(rows: pd.DataFrame) -> None:
    assert predicted(YIELD, fit(YIELD, rows), rows.head(0)).shape == (0, 3)


def test_a_category_never_seen_and_a_missing_value_are_predicted(rows: pd.DataFrame) -> None:
    strange = rows.head(2).assign(soil=["peat", None], rain_mm=[None, 300.0], irrigated=[None, True])
    strange = strange.astype({"irrigated": "boolean", "rain_mm": "float64"})
    assert np.allclose(predicted(YIELD, fit(YIELD, rows), strange).sum(axis=1), 1)


def test_the_recipe_changes_with_the_inputs_the_code_and_only_with_what_makes_the_model() -> None:
    wider = replace(YIELD, features=with_inputs(slope=float))
    renamed = replace(YIELD, description="The same under another description.")
    assert recipe(wider, "code") != recipe(YIELD, "code") == recipe(renamed, "code") != recipe(YIELD, "other code")


def test_the_recipe_changes_with_a_hyper_parameter() -> None:
    def more_trees():
        return trees().set_params(histgradientboostingclassifier__max_iter=61)

    assert recipe(replace(YIELD, estimator=more_trees), "code") != recipe(YIELD, "code")


def test_an_estimator_that_asks_for_groups_is_given_the_group_of_each_row(rows) -> None:
    class Asking(DummyClassifier):
        def fit(self, X, y, groups):  # noqa: N803
            self.groups_ = list(groups)
            return super().fit(X, y)

    fitted = fit(replace(YIELD, estimator=Asking), rows)
    assert fitted.groups_ == list(rows[YIELD.features.group])
