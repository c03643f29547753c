"""Every check of pandera is asked of each row, with a reason a person can read, or refused when it is declared."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pandera.polars as pa
import polars as pl
import pytest
from contracts.judging import judge
from declaring import dataset, rule

from lastmile.contracts import column, field
from lastmile.ingestion.validation.rules import is_by_row

CHECKS = [
    (int, pa.Check.ge(1), "0", "at_least", "at least 1"),
    (int, pa.Check.gt(1), "1", "above", "more than 1"),
    (int, pa.Check.le(1), "2", "at_most", "at most 1"),
    (int, pa.Check.lt(1), "1", "below", "less than 1"),
    (int, pa.Check.eq(1), "2", "equal", "expected 1;"),
    (int, pa.Check.ne(1), "1", "not_equal", "anything but 1"),
    (float, pa.Check.in_range(0, 1_000), "1001", "in_range", "between 0 and 1,000;"),
    (float, pa.Check.between(0, 10, include_max=False), "10", "in_range", "between 0 and 10, without 10"),
    (str, pa.Check.isin(["a", "b"]), "c", "allowed", "one of a, b"),
    (str, pa.Check.notin(["a", "b"]), "a", "forbidden", "none of a, b"),
    (str, pa.Check.str_matches("^[a-z]+$"), "a1", "matches", "the form [a-z]+;"),
    (str, pa.Check.str_matches(re.compile("a|b")), "c", "matches", "the form a|b;"),
    (str, pa.Check.str_contains("x"), "a", "contains", "a text with x in it"),
    (str, pa.Check.str_startswith("ke_"), "ug_1", "starts_with", "a text that starts with ke_"),
    (str, pa.Check.str_endswith("_1"), "ke_2", "ends_with", "a text that ends with _1"),
    (str, pa.Check.str_length(2, 3), "a", "length", "2 to 3 characters"),
    (str, pa.Check.str_length(max_value=3), "abcd", "length", "at most 3 characters"),
    (str, pa.Check.str_length(exact_value=2), "abc", "length", "expected 2 characters"),
    (date, pa.Check.ge(date(2020, 1, 1)), "2019-12-31", "at_least", "at least 2020-01-01"),
]


@pytest.mark.parametrize(("dtype", "check", "bad", "name", "words"), CHECKS)
def test_a_built_in_check_is_an_expression_with_a_readable_reason(dtype, check, bad, name, words):
    contract = dataset({"x": column(dtype, "x", checks=[check])})
    assert contract.checks["x"][0].expression is not None
    judged = judge(contract, pl.DataFrame({"x": [bad, ""]}))
    (reason,) = json.loads(judged.bad["reasons"][0])
    assert reason["rule"] == name
    assert words in reason["message"]
    assert judged.valid.height == 1


def refused(*checks, across=(), dtype=int):
    """Why a contract with these checks of its column cannot be declared."""
    with pytest.raises(ValueError, match="contract visits: ") as error:
        dataset({"x": column(dtype, "x", checks=list(checks)), "y": column(int, "y")}, across)
    return str(error.value)


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (pa.Check.unique_values_eq([1, 2]), "give the allowed values with `isin`"),
        (pa.Check(lambda value: value > 0, element_wise=True), "write it as an expression"),
        (pa.Check.ge(0, raise_warning=True), "write a dbt test with severity warn"),
        (pa.Check(lambda series: series > 0), "a check written for pandas, which gets a series, does not work here"),
        (pa.Check(lambda series: series.str.len() > 0), "a check written for pandas"),
        (pa.Check(lambda data: True), "gives bool; expected data.lazyframe.select"),
        (pa.Check(lambda data: data.lazyframe.select(pl.col("x").sum() > 0)), "gives one answer for all rows"),
        (pa.Check(lambda data: data.lazyframe.filter(pl.col("x") > 0).select(pl.col("x") > 0)), "one answer for all"),
        (pa.Check(lambda data: data.lazyframe.select(pl.lit(True))), "gives one answer for all rows"),
        (pa.Check(lambda data: data.lazyframe.select(pl.col("x") + 1)), "gives Int64 for a row"),
        (pa.Check(lambda data: data.lazyframe.select(pl.col("z") > 1)), "names columns ['z']"),
        (pa.Check.str_contains("a"), "cannot be asked of its columns"),
    ],
)
def test_a_check_that_cannot_be_asked_of_rows_is_refused_at_declaration_with_what_to_write(check, message):
    assert message in refused(check)


def test_a_pandas_check_across_columns_is_refused_too():
    message = refused(across=[pa.Check(lambda frame: frame["x"] <= frame["y"], name="ordered")])
    assert "rule ordered cannot be asked of polars data" in message
    assert "written for pandas" in message


def test_a_plain_column_of_pandera_works_like_any():
    schema = pa.DataFrameSchema(
        {"id": pa.Column(str), "n": pa.Column(int, pa.Check.ge(0), nullable=True, required=False)}
    )
    contract = dataset({}, name="plain") if False else dataset(schema.columns, name="plain")
    judged = judge(contract, pl.DataFrame({"id": ["a", "b"], "n": ["1", "-1"]}))
    assert (judged.valid.height, judged.bad.height) == (1, 1)
    assert contract.metadata("n")["unit"] is None


class Sold(pa.DataFrameModel):
    kg: float | None = field("Weight.", ge=0)
    price: float | None = field("Price.")

    @pa.check("kg", error="a weight in whole tenths")
    def tenths(cls, data):
        return data.lazyframe.select((pl.col(data.key) * 10).round(6) % 1 == 0)

    @pa.check("kg", "price")
    def finite(cls, data):
        """not so much as to be a mistake"""
        return data.lazyframe.select(pl.col(data.key) < 1e9)

    @pa.dataframe_check
    def priced(cls, data):
        """What has a weight has a price."""
        return data.lazyframe.select(pl.col("kg").is_null() | pl.col("price").is_not_null())


def test_checks_are_written_as_methods_of_the_model_and_their_words_are_the_reasons():
    contract = replace(dataset({}), schema=Sold)
    judged = judge(contract, pl.DataFrame({"kg": ["0.55", "1", "2e9"], "price": ["1", "", "1"]}))
    found = [[reason["message"] for reason in json.loads(reasons)] for reasons in judged.bad["reasons"]]
    assert found == [
        ["kg: expected a weight in whole tenths; found '0.55'"],
        ["What has a weight has a price; found kg=1, price=none"],
        ["kg: expected not so much as to be a mistake; found '2e9'"],
    ]


def test_columns_are_inherited():
    class More(Sold):
        note: str | None = field("Note.")

    assert list(dataset(More.to_schema().columns).columns) == ["kg", "price", "note"]


def test_a_rule_that_fails_on_a_row_quarantines_that_row_alone():
    """`pl.date` raises on 30 February, which a batch would otherwise share."""
    holds = pl.date(pl.col("y"), 2, pl.col("d")) > date(2000, 1, 1)
    contract = dataset({"y": column(int, "y"), "d": column(int, "d")}, [rule("a_day", holds, "It is a day.")])
    judged = judge(contract, pl.DataFrame({"y": ["2020"] * 9, "d": [str(day) for day in range(22, 31)]}))
    assert judged.valid["d"].to_list() == list(range(22, 30))
    assert "It is a day; found y=2020, d=30; the rule failed on this row: Invalid date" in judged.bad["reasons"][0]


def test_a_called_check_is_asked_as_pandera_would():
    ranked = pa.Check(lambda data: data.lazyframe.with_columns(r=pl.col("x") > 1).select("r"), name="ranked")
    contract = dataset({"x": column(int, "x", checks=[ranked])})
    assert contract.checks["x"][0].expression is None
    judged = judge(contract, pl.DataFrame({"x": ["1", "2", ""]}))
    assert judged.valid["x"].to_list() == [2, None]


PANDAS = """
import lastmile.contracts
import pandas as pd
import pandera.pandas as pa
print(pa.DataFrameSchema({"x": pa.Column(int, pa.Check.ge(0))}).validate(pd.DataFrame({"x": [1]})).x[0])
"""


def test_pandera_for_pandas_works_in_a_process_that_knows_contracts():
    done = subprocess.run([sys.executable, "-c", PANDAS], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


X = pl.col("x")


@pytest.mark.parametrize("holds", [X.mean() < X, X.is_unique(), X.cum_sum() > 1, X.sum().over("x") > 1])
def test_a_check_that_looks_at_other_rows_is_known_to(holds):
    assert not is_by_row(dataset({"x": column(int, "x")}, [rule("other rows", holds, "x")]))
    assert is_by_row(dataset({"x": column(int, "x", ge=0)}, [rule("own row", pl.col("x") > 0, "x")]))
