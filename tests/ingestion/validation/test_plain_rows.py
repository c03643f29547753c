"""Plain rows are a shortcut: with it or without, each row comes out the same, value by value and reason by reason."""

from datetime import date, datetime
from unittest import mock

import polars as pl
import pytest
from declaring import rule
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import column
from lastmile.contracts.casts import NumberFormat
from lastmile.ingestion.batch import RawBatch
from lastmile.ingestion.validation import Plan, plan

COLUMNS = {
    "f": column(float, "f", ge=-3, le=1e9),
    "g": column(float, "g", missing=("", "-99", "nan"), required=True),
    "i": column(int, "i", le=4),
    "b": column(bool, "b"),
    "d": column(date, "d", ge=date(2019, 1, 1)),
    "m": column(datetime, "m"),
    "c": column(str, "c", isin=["a", "NB", "NAB"], missing=("", "NA")),
    "t": column(str, "t", str_matches="^(?:[a-z ]*)$", required=True),
    "u": column(str, "u", missing=("", "NA")),
}
RULES = (rule("ordered", pl.col("f") <= pl.col("i"), "f is at most i"),)
ODD = ["", " ", "NA", "nan", "inf", "-99", "-99.0", " 1", "1 ", "4.0", "1e3", "0x1", "a", "NA ", "NAB", "\xa0",
       "\u3000a", "a\0", "Yes", "no", "TRUE", "tRUE", "2020-02-30", "2020-01-01", "0000-01-01", "2020-01-01 00:00",
       "9" * 19, "0000-01-01T00:00:00Z", "2020-01-01T10:11:12Z", "2020-01-01 10:11:12", "2020-01-01T10:11Z", "1,5",
       "1.234,5", "2020-01-01T10:11:12.5+02:00", "2020-01-01T10:11:60Z", "٣", "é", None]  # fmt: skip
PLAIN = {
    "f": "1",
    "g": "2",
    "i": "3",
    "b": "1",
    "d": "2020-01-01",
    "m": "2020-01-01T10:11:12Z",
    "c": "a",
    "t": "a",
    "u": "u",
}
CELLS = st.tuples(st.sampled_from(sorted(PLAIN)), st.text(max_size=4) | st.from_regex(r"[-+0-9.eTZ: ]{1,22}"))
ROWS = st.lists(CELLS, max_size=2).map(lambda odd: PLAIN | dict(odd))
NUMBERS = [NumberFormat(), NumberFormat(",", ".")]


@pytest.fixture(scope="module")
def contract(make_contract):
    return make_contract(COLUMNS, checks=RULES, wrong_type="rescue", key=("t",))


def judged(contract, rows, numbers, few):
    """Rows as they are judged where less than `few` are not worth a shortcut."""
    frame = pl.DataFrame(rows, schema=dict.fromkeys([*PLAIN, "new"], pl.String))
    lines = pl.Series(range(2, 2 + len(rows)), dtype=pl.UInt64)
    batch = RawBatch(frame, lines, lambda places: [str(frame.row(place)) for place in places])
    with mock.patch.object(plan, "FEW_ROWS", few):
        return Plan(contract, frame.columns, numbers).validate(batch)


def assert_same(contract, rows, numbers):
    closely, shortly = (judged(contract, rows, numbers, few) for few in (len(rows) + 1, 0))
    assert shortly.valid.to_dicts() == closely.valid.to_dicts()
    assert shortly.bad.to_dicts() == closely.bad.to_dicts()


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("new", [None, "", "extra"])
def test_every_odd_cell_comes_out_the_same_with_the_shortcut_and_without(contract, numbers, new):
    odd = [PLAIN | {column: cell, "new": new} for column in PLAIN for cell in ODD]
    assert_same(contract, [PLAIN, *odd, PLAIN], numbers)


@given(odd=st.lists(ROWS, max_size=30), numbers=st.sampled_from(NUMBERS))
def test_any_rows_come_out_the_same_with_the_shortcut_and_without(contract, odd, numbers):
    assert_same(contract, [PLAIN, *odd, PLAIN], numbers)


def test_plain_rows_are_not_looked_at_closely(contract, monkeypatch):
    seen = []
    look_closely = Plan._look_closely

    def watch(self, raw):
        seen.append(raw.height)
        return look_closely(self, raw)

    monkeypatch.setattr(Plan, "_look_closely", watch)
    found = judged(contract, [PLAIN] * 50 + [PLAIN | {"f": "much"}], NumberFormat(), 0)
    assert found.valid.height == 51
    assert seen == [1]
