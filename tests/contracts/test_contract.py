"""Contracts and partitions: what can be declared, and what is refused at once."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta

import pandera.polars as pa
import polars as pl
import pytest
from checkout import PROJECT
from declaring import dataset, rule
from hypothesis import given
from hypothesis import strategies as st
from pandera.api.parsers import Parser

from lastmile.contracts import Limits, Misdeclared, Partition, column

YEARLY = Partition("year", start=date(2010, 1, 1))


def contract(**changes):
    return dataset(**{"columns": {"visit": column(str, "id")}, **changes})


def test_a_key_must_name_declared_columns():
    with pytest.raises(ValueError, match="key names \\['other'\\]"):
        contract(key=("other",))


def test_names_are_lower_case_so_that_sql_needs_no_quotes():
    with pytest.raises(ValueError, match="must be lower-case names"):
        contract(columns={"Visit": column(str, "id")})


def test_the_version_is_the_same_in_every_process():
    program = "from visits import VISITS; print(VISITS.version)"
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "tests")}
    printed = [
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert printed[0].stdout == printed[1].stdout


def test_the_version_changes_with_the_meaning_and_not_without():
    assert contract().version == contract().version
    assert contract(columns={"visit": column(str, "id", required=True)}).version != contract().version
    assert (
        contract(columns={"visit": column(float, "id", le=3)}).version
        != contract(columns={"visit": column(float, "id")}).version
    )


@given(st.dates(date(2010, 1, 1), date(2026, 1, 1)), st.sampled_from(["year", "month", "day"]))
def test_the_window_of_a_partition_holds_exactly_the_days_of_its_key(day, unit):
    partition = Partition(unit, start=date(2010, 1, 1))
    first, after = partition.window(partition.key_of(day))
    assert first <= day < after
    assert partition.key_of(first) == partition.key_of(day) != partition.key_of(after)


@given(st.text(max_size=12))
def test_a_text_is_either_a_partition_with_a_window_or_refused(text):
    try:
        first, after = YEARLY.window(text)
    except ValueError:
        return
    assert YEARLY.key_of(first) == text
    assert first < after


def test_keys_lists_every_partition_of_a_range():
    months = Partition("month", start=date(2010, 1, 1))
    assert months.keys("2011-11", "2012-02") == ["2011-11", "2011-12", "2012-01", "2012-02"]


def visits(*columns, **more):
    """Why a contract of these columns cannot be declared."""
    with pytest.raises(Misdeclared) as error:
        contract(columns=dict(columns), **more)
    assert "contract visits: " in str(error.value)
    return str(error.value)


def test_a_name_that_postgres_keeps_for_itself_is_no_column():
    assert "xmin" in visits(("xmin", column(float, "West.")))


@pytest.mark.behaviour(number=21)
def test_an_alias_of_two_columns_is_refused_with_both_named():
    hours, minutes = column(float, "h", aliases=("Duration",)), column(float, "m", aliases=("duration ",))
    message = visits(("hours", hours), ("minutes", minutes))
    assert "header 'duration ' of column minutes and header 'Duration' of column hours are the same" in message


@pytest.mark.behaviour(number=21)
def test_an_alias_that_is_another_columns_name_is_refused():
    message = visits(("hours", column(float, "h")), ("minutes", column(float, "m", aliases=("HOURS",))))
    assert "header 'HOURS' of column minutes and header 'hours' of column hours are the same" in message


def test_an_alias_may_repeat_its_own_column_in_another_form():
    assert contract(columns={"farm_size": column(float, "ha", aliases=("Farm size", "farm-size"))})


def test_an_alias_without_letters_is_refused():
    assert "shows nothing" in visits(("hours", column(float, "h", aliases=(" ",))))


@pytest.mark.parametrize(
    ("asked", "instead"),
    [
        ({"unique": True}, "name the column in `key`"),
        ({"parsers": [Parser(str)]}, "give the column's field a `derived`"),
    ],
)
def test_what_pandera_could_do_and_the_intake_does_not_is_refused_with_what_to_do(asked, instead):
    message = visits(("visit", pa.Column(pl.String, **asked)))
    assert "column visit says" in message
    assert instead in message


@pytest.mark.parametrize(
    ("asked", "instead"),
    [
        ({"strict": True}, "`policy.unknown_columns`"),
        ({"ordered": True}, "in any order"),
        ({"unique": ["visit"]}, "name the columns in `key`"),
    ],
)
def test_what_a_schema_could_ask_and_the_intake_does_not_do_is_refused_too(asked, instead):
    with pytest.raises(Misdeclared, match="its schema says") as error:
        replace(contract(), schema=pa.DataFrameSchema({"visit": pa.Column(str)}, **asked))
    assert instead in str(error.value)


LIMIT = 3


def limited(most=3):
    def holds(data):
        return data.lazyframe.with_columns(x=pl.col("visit").str.len_chars() < LIMIT + most).select("x")

    return contract(checks=[pa.Check(holds, name="short")])


def test_the_version_knows_what_a_check_does_whatever_it_is_called(monkeypatch):
    short, long = (
        contract(checks=[rule("same", pl.col("visit").str.len_chars() < most, "the same words")]) for most in (3, 4)
    )
    assert short.version != long.version
    assert limited().version == limited().version != limited(4).version
    before = limited().version
    monkeypatch.setattr(f"{__name__}.LIMIT", 5)
    assert limited().version != before


@pytest.mark.parametrize(
    "setting",
    [
        {"encodings": ("cp1250",)},
        {"delimiter": ";"},
        {"decimal": ","},
        {"skip_lines": 1},
        {"missing": ("x",)},
        {"duplicates": "keep"},
        {"max_bad_share": 0.5},
        {"limits": Limits(rows=10)},
        {"partition": Partition("month", start=date(2010, 1, 1))},
        {"key": ("visit",)},
        {"columns": {"visit": column(str, "id", missing=("", "x"))}},
        {"columns": {"visit": column(str, "id", default="x")}},
    ],
)
def test_the_version_changes_with_whatever_changes_what_is_read(setting):
    assert contract(**setting).version != contract().version


@pytest.mark.parametrize(
    "setting",
    [{"owner": "team:y"}, {"tags": {"a": "b"}}, {"expected_every": timedelta(days=1)}, {"description": "other"}],
)
def test_the_version_stays_where_nothing_is_read_otherwise(setting):
    assert contract(**setting).version == contract().version


def test_a_type_that_no_column_can_have_is_refused():
    assert "column at has type" in visits(("at", pa.Column(pl.Datetime)))


def test_a_rule_that_names_an_unknown_column_is_refused():
    message = visits(("hours", column(float, "h")), checks=[rule("short", pl.col("hours") < pl.col("day"), "short")])
    assert "rule short names columns ['day']; expected some of ['hours']" in message


def test_a_rule_that_cannot_be_asked_or_gives_no_verdict_is_refused():
    rules = [
        pa.Check(lambda data: data.lazyframe.select(pl.col("day") > 1), name="called"),
        rule("sum", pl.col("hours") + 1, "a number"),
        rule("mixed", pl.col("hours") > pl.col("visit").dt.date(), "types that do not go together"),
    ]
    message = visits(("visit", column(str, "id")), ("hours", column(float, "h")), checks=rules)
    assert "rule called names columns ['day']; expected some of ['visit', 'hours']" in message
    assert "rule sum gives Float64 for a row; expected true or false" in message
    assert "rule mixed cannot be asked of its columns" in message


def test_a_policy_that_does_not_exist_is_refused():
    message = visits(("visit", column(str, "id")), unknown_columns="ignore")
    assert "unknown_columns is 'ignore'; expected one of 'add', 'rescue', 'refuse'" in message
