"""Choosing inputs: by the training rows alone, whatever the estimator names, and never by rows that evaluate it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from fields import FIELDS, YIELD, fields, trees, with_inputs

from lastmile.learning import Classification
from lastmile.learning.evaluation.evaluation import train_and_evaluate
from lastmile.learning.training.fitting import chosen, fit, predicted, recipe, used_inputs
from lastmile.learning.training.selection import chosen_inputs

QUICK = replace(YIELD, estimator=lambda: trees().set_params(histgradientboostingclassifier__max_iter=8))
KEPT = replace(QUICK, most_inputs=3)
TASK = Classification(("yes", "no"), question="yes", positive=("yes",))


def logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def noise(inputs: int = 80, count: int = 160) -> tuple[Any, pd.DataFrame]:
    """A model of nothing but noise, and its rows."""
    names = [f"noise_{number}" for number in range(inputs)]
    random = np.random.default_rng(3)
    numbers = pd.DataFrame(random.normal(size=(count, inputs)), columns=names)
    rows = numbers.assign(
        field=[f"field {number:03}" for number in range(count)],
        village=[f"village {number % 24}" for number in range(count)],
        season=pd.Timestamp(2020, 1, 1),
        yield_level=random.choice(["yes", "no"], count),
    )
    features = with_inputs(**dict.fromkeys(names, float))
    never = frozenset(FIELDS.names())
    return replace(YIELD, features=features, task=TASK, estimator=logistic, never=never, metrics=()), rows


def test_the_inputs_that_make_the_level_are_kept_and_noise_is_not(rows: pd.DataFrame) -> None:
    assert chosen_inputs(KEPT, rows) == ["soil", "rain_mm", "irrigated"]


def test_an_estimator_that_names_its_columns_does_with_those_chosen_and_predicts_the_same_rows(
    rows: pd.DataFrame,
) -> None:
    estimator = fit(replace(QUICK, most_inputs=1), rows)
    assert used_inputs(YIELD, estimator) == ["rain_mm"]
    elsewhere = rows.assign(soil="peat", noise=-1.0)
    assert np.array_equal(predicted(YIELD, estimator, rows), predicted(YIELD, estimator, elsewhere))


def test_what_was_chosen_is_read_from_the_estimator_loaded_again(rows: pd.DataFrame) -> None:
    body = skops.io.dumps(fit(KEPT, rows))
    loaded = skops.io.loads(body, trusted=skops.io.get_untrusted_types(data=body))
    assert chosen(KEPT, loaded) == {"inputs": ["soil", "rain_mm", "irrigated"], "parameters": {}}
    assert chosen(QUICK, fit(QUICK, rows)) == {"inputs": None, "parameters": {}}


def test_choosing_among_pure_noise_gains_nothing_since_each_fold_chooses_by_its_own_rows() -> None:
    model, rows = noise()
    honest = train_and_evaluate(replace(model, most_inputs=3), rows).evaluation
    before = chosen_inputs(replace(model, most_inputs=3), rows)  # the mistake: by rows that evaluate it, too
    narrow = replace(model, never=frozenset(set(model.features.names()) - set(before)))
    mistaken = train_and_evaluate(narrow, rows).evaluation
    assert abs(honest.scores["roc_auc_yes"] - 0.5) < 0.08
    assert mistaken.scores["roc_auc_yes"] > 0.6


def test_an_input_that_was_not_chosen_has_no_importance(rows: pd.DataFrame) -> None:
    evaluation = train_and_evaluate(KEPT, rows).evaluation
    assert evaluation.importance["noise"] == 0.0
    assert evaluation.importance["rain_mm"] > 0.05


def test_the_same_rows_choose_the_same_inputs_and_too_few_rows_choose_all(rows: pd.DataFrame) -> None:
    assert chosen_inputs(KEPT, rows) == chosen_inputs(KEPT, rows.copy())
    assert chosen_inputs(KEPT, fields(99)) == KEPT.inputs


@pytest.mark.parametrize("changed", [{"most_inputs": 2}, {"most_inputs": None}])
def test_the_recipe_changes_with_the_most_inputs(changed: dict[str, Any]) -> None:
    assert recipe(replace(KEPT, **changed), "code") != recipe(KEPT, "code")


def test_a_forbidden_input_is_left_out_of_an_estimator_that_names_it(rows: pd.DataFrame) -> None:
    without = replace(QUICK, never=frozenset({"soil"}))
    assert used_inputs(without, fit(without, rows)) == ["rain_mm", "noise", "irrigated"]
