"""Training: groups stay whole, the same rows give the same model, and what is unknown is predicted all the same."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fields import FIELDS, fields
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.learning.feature_set import numeric
from lastmile.learning.training import TooLittleData, classifier, fit, folds, inputs, probabilities, recipe


@settings(max_examples=30, deadline=None)
@given(
    groups=st.lists(st.integers(0, 15), min_size=120, max_size=200),
    levels=st.lists(st.sampled_from(FIELDS.levels), min_size=200, max_size=200),
)
def test_every_row_is_judged_once_and_no_group_is_on_both_sides(groups: list[int], levels: list[str]) -> None:
    names = [f"village {group}" for group in groups]
    rows = pl.DataFrame({"village": names, "yield_level": levels[: len(names)]})
    try:
        split = folds(FIELDS, rows)
    except TooLittleData:
        return
    assert sorted(place for _, judging in split for place in judging) == list(range(rows.height))
    for training, judging in split:
        assert not set(rows["village"][training]) & set(rows["village"][judging])


@pytest.mark.parametrize(
    ("few", "said"),
    [
        (fields(99), "99 labelled rows"),
        (fields(200, villages=1), "1 village"),
        (fields(200).with_columns(yield_level=pl.lit("low")), "1 levels"),
        (
            fields(200, villages=2).with_columns(
                yield_level=pl.when(pl.col("village") == "village 0").then(pl.lit("low")).otherwise(pl.lit("high"))
            ),
            "only one level is left",
        ),
    ],
)
def test_too_little_data_is_refused_with_what_there_is(few: pl.DataFrame, said: str) -> None:
    with pytest.raises(TooLittleData, match=said):
        folds(FIELDS, few)


def test_the_same_rows_give_the_same_model(rows: pl.DataFrame) -> None:
    first, second = (probabilities(FIELDS, fit(FIELDS, rows), rows) for _ in range(2))
    assert np.array_equal(first, second)


def test_probabilities_come_in_the_levels_order_and_add_up_to_one(rows: pl.DataFrame) -> None:
    found = probabilities(FIELDS, fit(FIELDS, rows), rows)
    assert np.allclose(found.sum(axis=1), 1)
    predicted = np.array(FIELDS.levels)[found.argmax(axis=1)]
    assert (predicted == rows["yield_level"].to_numpy()).mean() > 0.9


def test_a_level_no_row_has_gets_no_probability(rows: pl.DataFrame) -> None:
    without = rows.filter(pl.col("yield_level") != "middle")
    assert not probabilities(FIELDS, fit(FIELDS, without), rows)[:, 1].any()


def test_no_rows_have_no_probabilities(rows: pl.DataFrame) -> None:
    assert probabilities(FIELDS, fit(FIELDS, rows), rows.clear()).shape == (0, 3)


def test_a_category_never_seen_and_a_missing_value_are_predicted(rows: pl.DataFrame) -> None:
    strange = rows.head(2).with_columns(
        soil=pl.Series(["peat", None]), rain_mm=pl.Series([None, 300.0]), irrigated=pl.Series([None, True])
    )
    assert np.allclose(probabilities(FIELDS, fit(FIELDS, rows), strange).sum(axis=1), 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of its mean, which there is none of
def test_an_input_that_no_row_has_does_no_harm(rows: pl.DataFrame) -> None:
    without = rows.with_columns(rain_mm=pl.lit(None, pl.Float64), soil=pl.lit(None, pl.String))
    assert np.allclose(probabilities(FIELDS, fit(FIELDS, without), rows).sum(axis=1), 1)


def test_categories_are_numbers_before_they_reach_the_trees(rows: pl.DataFrame) -> None:
    model = fit(FIELDS, rows)
    encoded = model[:-1].transform(inputs(FIELDS, rows))
    assert encoded.dtype == np.float64
    assert model[-1].is_categorical_ is None


def test_the_recipe_changes_with_the_inputs_and_only_with_what_makes_the_model() -> None:
    wider = replace(FIELDS, inputs=(*FIELDS.inputs, numeric("slope", "Slope.")))
    renamed = replace(FIELDS, description="The same under another description.")
    assert recipe(wider) != recipe(FIELDS) == recipe(renamed)


def test_a_rare_level_weighs_as_much_as_a_common_one() -> None:
    assert classifier(FIELDS)[-1].class_weight == "balanced"
