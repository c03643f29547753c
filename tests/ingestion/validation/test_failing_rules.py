"""A rule that fails on what a row says, such as `pl.date` on 30 February, costs that row alone."""

from datetime import date

import pandera.polars as pa
import polars as pl
import pytest
from declaring import rule

from lastmile.contracts import Misdeclared, column
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.validation import plan

COLUMNS = {name: column(int, name) for name in ("year", "month", "day")} | {"lead": column(int, "Days before.")}
DAY = pl.date("year", "month", "day")
LATE = pl.date(2000, 1, 1) < DAY


def by_more_than_selecting(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.with_columns(seen=DAY).select(pl.col("seen") > date(2000, 1, 1))


def in_python(data: pa.PolarsData) -> pl.LazyFrame:
    def late(row: dict[str, int | None]) -> bool | None:
        return None if None in row.values() else date(row["year"], row["month"], row["day"]) > date(2000, 1, 1)

    return data.lazyframe.select(pl.struct("year", "month", "day").map_elements(late, return_dtype=pl.Boolean))


CHECKS = {
    "an expression over a row": rule("late", LATE, "After 2000."),
    "an expression over other rows too": rule("late", LATE & (pl.col("year") >= pl.col("year").min()), "After 2000."),
    "more than an expression": pa.Check(by_more_than_selecting, name="late", error="After 2000."),
    "a function of Python": pa.Check(in_python, name="late", error="After 2000."),
}


@pytest.fixture(params=[0, plan.FEW_ROWS], ids=["a small drop", "a large drop"])
def rows(request: pytest.FixtureRequest) -> list[tuple[str, str, str]]:
    return [("2024", "2", "29"), ("2024", "2", "30"), ("1999", "1", "1"), *[("", "1", "1")] * (request.param + 1)]


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_row_on_which_a_rule_fails_is_quarantined_with_the_rule_and_the_error(
    make_contract, judge, reasons, check, rows
):
    judged = judge(make_contract(COLUMNS, checks=[check]), cells(rows))
    found = reasons(judged)

    assert judged.valid.height + judged.bad.height == len(rows)
    assert judged.bad.height == 2
    assert [reason["rule"] for reason in found[3]] == ["late"]
    assert found[3][0]["message"].startswith("After 2000")
    assert "; the rule failed on this row: " in found[3][0]["message"]
    assert "the rule failed" not in found[4][0]["message"]


def test_many_rows_on_which_a_rule_fails_are_searched_in_linear_time(make_contract, judge, monkeypatch):
    asked = []
    check = CHECKS["more than an expression"]

    def counted(data: pa.PolarsData) -> pl.LazyFrame:
        asked.append(1)
        return by_more_than_selecting(data)

    contract = make_contract(COLUMNS, checks=[pa.Check(counted, name="late", error=check.error)])
    before = len(asked)
    judged = judge(contract, cells([("2024", "2", "30")] * 500))
    assert judged.bad.height == 500
    assert len(asked) - before < 1_000


def test_a_rule_that_fails_on_most_of_many_rows_and_must_be_called_for_each_refuses_the_drop(make_contract, judge):
    contract = make_contract(COLUMNS, checks=[CHECKS["more than an expression"]])

    with pytest.raises(Refused, match="rule late cannot be asked of these rows: it fails on more than 2,000 of them"):
        judge(contract, cells([("2024", "2", "30")] * 2_001))


def test_different_errors_are_named_up_to_a_number(make_contract, judge, reasons):
    judged = judge(
        make_contract(COLUMNS, checks=[CHECKS["an expression over a row"]]),
        cells([(str(year), "2", "30") for year in range(2000, 2100)]),
    )
    messages = [found[0]["message"] for found in reasons(judged).values()]

    assert len(messages) == 100
    assert sum("; the rule failed on this row: Invalid date" in message for message in messages) == 20
    assert sum(message.endswith("; the rule failed on this row") for message in messages) == 80


def test_a_derived_value_that_cannot_be_worked_out_is_null(make_contract, judge):
    columns = COLUMNS | {"seen": column(date, "Day of the visit.", derived=DAY)}
    judged = judge(make_contract(columns), cells([("2024", "2", "29"), ("2024", "2", "30"), ("2024", "2", "29")]))

    assert judged.valid["seen"].to_list() == [date(2024, 2, 29), None, date(2024, 2, 29)]


def cells(rows: list[tuple[str, str, str]]) -> dict[str, list[str]]:
    return dict(zip(("year", "month", "day"), map(list, zip(*rows, strict=True)), strict=True))


def test_a_rule_in_python_that_fails_on_a_null_is_refused_when_it_is_declared(make_contract):
    def late(data: pa.PolarsData) -> pl.LazyFrame:
        year = pl.struct("year").map_elements(lambda row: row["year"] + 1 > 2000, return_dtype=pl.Boolean)
        return data.lazyframe.select(year)

    with pytest.raises(Misdeclared, match="rule late cannot be asked of a row: unsupported operand"):
        make_contract(COLUMNS, checks=[pa.Check(late, name="late", error="After 2000.")])
