"""Leakage: what makes the target, or gives it away, is named; honest inputs are not."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fields import FIELDS, HARVEST, fields, make, with_inputs
from simulated import WIDE, near_copies, wide_fields

from lastmile.learning.features.leakage import (
    derived_inputs,
    forbidden_numbers,
    ranking_inputs,
    sample,
    sample_without_copies,
    telling_inputs,
)

NOTHING: frozenset[str] = frozenset()
MEASURES = {
    "dim_field": dict.fromkeys(("field", "village", "season", "soil", "rain_mm", "noise", "irrigated"), NOTHING),
    "fct_field": {"field": NOTHING, "yield_level": frozenset({"harvest"}), "harvest_kg": frozenset({"harvest"})},
}
WITH_WEALTH = with_inputs(wealth=float)


def sources(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    described = rows.drop(columns=["yield_level", "harvest_kg"])
    return {"dim_field": described, "fct_field": rows[["field", "yield_level", "harvest_kg"]]}


def smuggling(wealth: Callable[[pd.DataFrame], object]):
    """The feature set with an input that its function makes of both sources joined."""

    def made(dim_field: pd.DataFrame, fct_field: pd.DataFrame) -> pd.DataFrame:
        joined = dim_field.merge(fct_field, on="field")
        return make(dim_field, fct_field).merge(joined.assign(wealth=wealth(joined))[["field", "wealth"]], on="field")

    return replace(WITH_WEALTH, make=made)


@pytest.mark.parametrize(
    "wealth",
    [
        lambda rows: rows["harvest_kg"],
        lambda rows: np.log1p(rows["harvest_kg"]) * 3,
        lambda rows: rows["noise"] + rows["harvest_kg"] / 1e6,
        lambda rows: rows["harvest_kg"] > 500,
        lambda rows: rows["yield_level"].map({"high": 2, "middle": 1, "low": 0}),
        lambda rows: rows.groupby("village")["harvest_kg"].transform("mean"),
    ],
)
def test_an_input_made_of_a_forbidden_quantity_under_any_name_is_named_with_it(rows, wealth) -> None:
    assert derived_inputs(smuggling(wealth), MEASURES, sources(rows)) == {"wealth": ["harvest"]}


@pytest.mark.parametrize(
    "wealth", [lambda rows: rows["rain_mm"] / 10, lambda rows: rows.groupby("village")["noise"].transform("max")]
)
def test_an_input_made_of_honest_columns_is_derived_from_nothing_forbidden(rows, wealth) -> None:
    assert derived_inputs(smuggling(wealth), MEASURES, sources(rows)) == {}


def test_missing_values_are_no_difference(rows) -> None:
    unknown = rows.assign(rain_mm=np.nan, soil=pd.Series([None] * len(rows), dtype="str"))
    assert derived_inputs(FIELDS, MEASURES, sources(unknown)) == {}


def test_a_column_of_a_source_that_measures_a_quantity_itself_is_named(rows) -> None:
    measured = {**MEASURES, "dim_field": {**MEASURES["dim_field"], "rain_mm": frozenset({"harvest", "tax"})}}
    assert derived_inputs(FIELDS, measured, sources(rows)) == {"rain_mm": ["harvest"]}


def test_a_source_that_is_no_model_of_the_warehouse_is_an_error_not_a_pass(rows) -> None:
    with pytest.raises(KeyError, match="fct_field"):
        derived_inputs(FIELDS, {"dim_field": MEASURES["dim_field"]}, sources(rows))


@pytest.mark.parametrize(
    ("wealth", "found"),
    [
        ("ln(1 + harvest_kg)", {"wealth": ["harvest"]}),
        ("case when f.harvest_kg > 5 then 1 end", {"wealth": ["harvest"]}),
        ("rain_mm / 10", {}),
    ],
)
def test_sql_is_followed_as_it_is_written(wealth: str, found: dict[str, list[str]]) -> None:
    query = f"""
        WITH f AS (SELECT * FROM marts.fct_field)
        SELECT d.*, f.yield_level, {wealth} AS wealth FROM marts.dim_field AS d LEFT JOIN f USING (field)
        WHERE d.season >= %(start)s AND d.season < %(end)s
    """
    assert derived_inputs(replace(WITH_WEALTH, make=None, query=query), MEASURES, {}) == found


def test_sql_that_cannot_be_followed_counts_as_made_of_all_it_reads() -> None:
    unreadable = replace(FIELDS, make=None, query="SELECT FROM WHERE marts.fct_field (")
    assert derived_inputs(unreadable, MEASURES, {}) == {name: ["harvest"] for name in FIELDS.names()}


def test_an_input_that_tells_the_level_alone_is_named(rows: pd.DataFrame) -> None:
    ranks = rows["yield_level"].map({"high": 2.0, "middle": 1.0, "low": 0.0})
    assert list(telling_inputs(WITH_WEALTH, rows.assign(wealth=ranks + rows["noise"] / 2))) == ["wealth"]


def test_an_input_that_answers_only_one_question_about_the_level_is_named(rows: pd.DataFrame) -> None:
    banded = rows.assign(band=("A" + rows["soil"]).where(rows["yield_level"] != "low", "C"))
    assert list(telling_inputs(with_inputs(band=str), banded)) == ["band"]


def test_honest_inputs_tell_no_level_alone(rows: pd.DataFrame) -> None:
    assert telling_inputs(FIELDS, rows) == {}


@pytest.mark.parametrize("smuggled", [np.log1p, lambda harvest: -harvest * 3, np.floor])
def test_an_input_that_ranks_rows_as_a_quantity_does_is_named(rows: pd.DataFrame, smuggled) -> None:
    found = ranking_inputs(WITH_WEALTH, rows.assign(wealth=smuggled(rows["harvest_kg"])), rows[["harvest_kg"]])
    assert {name: other for name, (other, _) in found.items()} == {"wealth": "harvest_kg"}


def test_a_quantity_in_each_groups_own_currency_is_still_recognised() -> None:
    rows = fields(600)
    rate = 10.0 ** (rows["village"].str.slice(8).astype(int) % 5)
    rows = rows.assign(wealth=rows["harvest_kg"] * rate)
    assert list(ranking_inputs(WITH_WEALTH, rows, rows[["harvest_kg"]])) == ["wealth"]


def test_honest_inputs_rank_rows_in_their_own_way(rows: pd.DataFrame) -> None:
    assert ranking_inputs(FIELDS, rows, rows[["harvest_kg"]]) == {}


def test_a_handful_of_rows_accuses_no_input() -> None:
    few = fields(20).pipe(lambda rows: rows.assign(wealth=rows["harvest_kg"]))
    assert (telling_inputs(WITH_WEALTH, few), ranking_inputs(WITH_WEALTH, few, few[["harvest_kg"]])) == ({}, {})


def test_forbidden_numbers_are_those_of_the_sources_in_the_order_of_the_rows(rows: pd.DataFrame) -> None:
    mixed = rows.sample(frac=1, random_state=1).reset_index(drop=True)
    found = forbidden_numbers(FIELDS, MEASURES, sources(rows), mixed)
    pd.testing.assert_frame_equal(found, mixed[["harvest_kg"]])


def test_a_target_that_is_a_number_is_one_of_them(rows: pd.DataFrame) -> None:
    found = forbidden_numbers(HARVEST.features, {}, {}, rows)
    assert list(found["target harvest_kg"]) == list(rows["harvest_kg"])


def test_a_sample_is_always_the_same_and_labelled_rows_come_first(rows) -> None:
    rows = rows.assign(yield_level=rows["yield_level"].where(rows.index >= 40))
    found = sample(FIELDS, rows, 50)
    assert (len(found), found["yield_level"].isna().sum()) == (50, 0)
    pd.testing.assert_frame_equal(sample(FIELDS, rows, 50), found)


def test_copies_by_the_thousand_accuse_no_input_and_hide_none() -> None:
    """Of a few rows any input tells the level, once they are there often enough to be learned by heart."""
    rows = wide_fields(fields(600))
    flooded = pd.concat([rows, near_copies(rows, of=20, count=20_000, villages=1)], ignore_index=True)
    assert telling_inputs(WIDE.features, sample(WIDE.features, flooded)) != {}
    assert telling_inputs(WIDE.features, sample_without_copies(WIDE.features, flooded)) == {}
    leaking = flooded.assign(noise=flooded["yield_level"].map({"high": 2.0, "middle": 1.0, "low": 0.0}))
    assert set(telling_inputs(WIDE.features, sample_without_copies(WIDE.features, leaking))) == {"noise"}
