"""Leakage: what makes the level, or gives it away, is named; honest features are not."""

from dataclasses import replace

import polars as pl
import pytest
from fields import FIELDS, fields

from lastmile.learning.feature_set import FeatureSet, categorical, numeric
from lastmile.learning.leakage import derived_inputs, ranking_inputs, telling_inputs

NOTHING: frozenset[str] = frozenset()
HONEST = {"dim_field": dict.fromkeys(FIELDS.names(), NOTHING)}


def with_input(name: str) -> FeatureSet:
    return replace(FIELDS, inputs=(*FIELDS.inputs, numeric(name, "Smuggled in.")))


def test_an_input_derived_from_a_forbidden_quantity_is_named_with_it() -> None:
    sources = {"dim_field": {**HONEST["dim_field"], "wealth": frozenset({"harvest", "tax"})}}
    assert derived_inputs(with_input("wealth"), sources) == {"wealth": ["harvest"]}


def test_honest_inputs_are_derived_from_nothing_forbidden() -> None:
    assert derived_inputs(FIELDS, HONEST) == {}


def test_an_input_that_the_source_does_not_have_is_an_error_not_a_pass() -> None:
    with pytest.raises(KeyError, match="wealth"):
        derived_inputs(with_input("wealth"), HONEST)


def test_an_input_that_tells_the_level_alone_is_named(rows: pl.DataFrame) -> None:
    ranks = {"high": 2.0, "middle": 1.0, "low": 0.0}
    smuggled = rows.with_columns(wealth=pl.col("yield_level").replace_strict(ranks) + pl.col("noise") / 2)
    assert list(telling_inputs(with_input("wealth"), smuggled)) == ["wealth"]


def test_an_input_that_answers_only_the_question_is_named(rows: pl.DataFrame) -> None:
    smuggled = rows.with_columns(
        band=pl.when(pl.col("yield_level") == "low").then(pl.lit("C")).otherwise(pl.lit("A") + pl.col("soil"))
    )
    banded = replace(FIELDS, inputs=(*FIELDS.inputs, categorical("band", "Smuggled in.")))
    assert list(telling_inputs(banded, smuggled)) == ["band"]


def test_honest_inputs_tell_no_level_alone(rows: pl.DataFrame) -> None:
    assert telling_inputs(FIELDS, rows) == {}


@pytest.mark.parametrize(
    "smuggled", [pl.col("harvest_kg").log1p(), -pl.col("harvest_kg") * 3, pl.col("harvest_kg").floor()]
)
def test_an_input_that_ranks_rows_as_a_quantity_does_is_named(rows: pl.DataFrame, smuggled: pl.Expr) -> None:
    rows = rows.with_columns(wealth=smuggled)
    found = ranking_inputs(with_input("wealth"), rows, rows.select("harvest_kg"))
    assert {name: other for name, (other, _) in found.items()} == {"wealth": "harvest_kg"}


def test_a_quantity_in_each_groups_own_currency_is_still_recognised() -> None:
    rows = fields(600).with_columns(rate=10.0 ** (pl.col("village").str.slice(8).cast(pl.Int64) % 5))
    rows = rows.with_columns(wealth=pl.col("harvest_kg") * pl.col("rate"))
    assert list(ranking_inputs(with_input("wealth"), rows, rows.select("harvest_kg"))) == ["wealth"]


def test_honest_inputs_rank_rows_in_their_own_way(rows: pl.DataFrame) -> None:
    assert ranking_inputs(FIELDS, rows, rows.select("harvest_kg")) == {}


def test_a_handful_of_rows_accuses_no_input() -> None:
    few = fields(20).with_columns(wealth=pl.col("harvest_kg"))
    smuggled = with_input("wealth")
    assert (telling_inputs(smuggled, few), ranking_inputs(smuggled, few, few.select("harvest_kg"))) == ({}, {})
