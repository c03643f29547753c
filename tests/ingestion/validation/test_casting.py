"""What a text is as a value of each type, and what it is not."""

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import column
from lastmile.contracts.casts import NumberFormat
from lastmile.ingestion.validation.plan import FEW_ROWS


def value(judge, make_contract, column, cell):
    """The value of one cell, or its reason's message where it was set aside."""
    judged = judge(make_contract({"x": column}), {"x": [cell]})
    return judged.valid["x"][0] if judged.valid.height else judged.bad["reasons"][0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("1", 1.0), ("+5", 5.0), ("1e3", 1000.0), (" 2.5\t", 2.5), ("-.5", -0.5), ("31000055080.0", 31000055080.0)],
)
def test_numbers_may_be_written_in_any_plain_form(judge, make_contract, cell, expected):
    assert value(judge, make_contract, column(float, "A number."), cell) == expected


@pytest.mark.parametrize("cell", ["1,5", "1 000", "1_000", "inf", "-Infinity", "1e400", "0x10", "five", "1.2.3", "--1"])
def test_what_could_be_another_number_or_none_is_no_number(judge, make_contract, cell):
    assert f"expected a number; found '{cell}'" in value(judge, make_contract, column(float, "A number."), cell)


def test_the_text_nan_is_no_number_unless_it_is_a_missing_code(judge, make_contract):
    assert value(judge, make_contract, column(float, "A number."), "NaN") is None
    assert "expected a number" in value(judge, make_contract, column(float, "A number.", missing=("",)), "NaN")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *[
            ("4", 4),
            ("4.0", 4),
            ("4.00", 4),
            ("-0", 0),
            (" 007 ", 7),
            ("1e3", 1000),
            ("9223372036854775807", 2**63 - 1),
        ],
        *[("1.71716580012300000e+12", 1717165800123), ("9.007199254740991e+15", 2**53 - 1)],
    ],
)
def test_whole_numbers_may_be_written_as_decimals(judge, make_contract, cell, expected):
    assert value(judge, make_contract, column(int, "A count."), cell) == expected


@pytest.mark.parametrize("cell", ["4.5", "9223372036854775808", "1e19", "-1e300", "four", "1,000"])
def test_a_fraction_or_what_is_out_of_range_is_no_whole_number(judge, make_contract, cell):
    assert f"expected a whole number; found '{cell}'" in value(judge, make_contract, column(int, "A count."), cell)


@pytest.mark.parametrize("ending", [".0", ".00", ".0000000000"])
def test_a_whole_number_too_long_for_a_double_is_exact(judge, make_contract, ending):
    assert value(judge, make_contract, column(int, "A count."), f"9007199254740993{ending}") == 9007199254740993


@pytest.mark.parametrize(
    "cell", ["3.00000000000000001", "1e-400", "9007199254740993e0", "4503599627370496.5e0", "9.007199254740992e+15"]
)
def test_what_only_rounding_would_make_whole_is_no_whole_number(judge, make_contract, cell):
    assert f"expected a whole number; found '{cell}'" in value(judge, make_contract, column(int, "A count."), cell)


NUMBERS = {
    NumberFormat(): {"1.234": 1.234, "-1e3": -1000.0},
    NumberFormat(","): {"1,234": 1.234, "1234": 1234.0, "-0,5e1": -5.0},
    NumberFormat(",", "."): {"1.234": 1234.0, "1,234": 1.234, "-1.234.567,8": -1234567.8, "1234,5": 1234.5},
    NumberFormat(".", ","): {"1,234": 1234.0, "1.234": 1.234, "+1,234,567.": 1234567.0},
    NumberFormat(",", " "): {"1 234,5": 1234.5},
    NumberFormat(".", "'"): {"1'234.5": 1234.5},
}
WRITTEN = sorted(
    {cell for cells in NUMBERS.values() for cell in cells} | {"1.23.456", "1,23", "12.34", "1.2345", "0.123", ","}
)


@pytest.mark.behaviour(number=22)
@pytest.mark.parametrize("numbers", NUMBERS, ids=lambda numbers: f"{numbers.decimal}{numbers.thousands}")
def test_a_number_has_one_meaning_in_a_drop_and_what_is_written_otherwise_is_none(make_contract, judge, numbers):
    judged = judge(make_contract({"x": column(float, "A number.")}), {"x": WRITTEN}, numbers=numbers)
    read = {WRITTEN[line - 2]: found for line, found in judged.valid.select("_line", "x").iter_rows()}
    assert NUMBERS[numbers].items() <= read.items()
    for cell, found in read.items():
        point = cell.replace(numbers.thousands, "") if numbers.thousands else cell
        assert numbers.decimal == "." or "." not in point
        assert float(point.replace(numbers.decimal, ".")) == found


def test_a_reason_says_how_the_numbers_of_the_drop_are_written(make_contract, judge):
    judged = judge(make_contract({"x": column(float, "A number.")}), {"x": ["1.5"]}, numbers=NumberFormat(",", "."))
    assert "expected a number written as in the rest of the file, such as 1.234,0" in judged.bad["reasons"][0]


@pytest.mark.parametrize("cell", ["1", "1.0", "true", "TRUE", "Yes", " yes "])
def test_yes_is_read_in_every_usual_form(judge, make_contract, cell):
    assert value(judge, make_contract, column(bool, "A question."), cell) is True


@pytest.mark.parametrize("cell", ["0", "0.0", "False", "NO"])
def test_no_is_read_in_every_usual_form(judge, make_contract, cell):
    assert value(judge, make_contract, column(bool, "A question."), cell) is False


@pytest.mark.parametrize("cell", ["2", "y", "maybe", "10"])
def test_anything_else_is_neither_yes_nor_no(judge, make_contract, cell):
    assert "expected yes or no" in value(judge, make_contract, column(bool, "A question."), cell)


@pytest.mark.parametrize("cell", ["2024-02-29", " 2024-02-29 ", "2024-02-29T00:00", "2024-02-29 00:00:00.000000"])
def test_a_day_is_an_iso_date_and_a_midnight_after_it_is_dropped(judge, make_contract, cell):
    assert value(judge, make_contract, column(date, "A day."), cell) == date(2024, 2, 29)


@pytest.mark.parametrize(
    "cell",
    ["2023-02-29", "2024-2-29", "29/02/2024", "20240229", "2024-02-29 13:00", "0000-01-01", "+2024-1-01", "2024- 1-1"],
)
def test_a_day_in_any_other_form_is_no_day(judge, make_contract, cell):
    assert "expected a date such as" in value(judge, make_contract, column(date, "A day."), cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2024-05-31T14:30:00Z", datetime(2024, 5, 31, 14, 30, tzinfo=UTC)),
        ("2024-05-31 14:30", datetime(2024, 5, 31, 14, 30, tzinfo=UTC)),
        ("2024-05-31T14:30:00+03:00", datetime(2024, 5, 31, 11, 30, tzinfo=UTC)),
        ("2024-05-31 14:30:00.5-0530", datetime(2024, 5, 31, 20, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-05-31T14:30+03", datetime(2024, 5, 31, 11, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_in_utc_and_without_a_zone_it_was_so_before(judge, make_contract, cell, expected):
    assert value(judge, make_contract, column(datetime, "A moment."), cell) == expected


@pytest.mark.parametrize(
    "cell", ["2024-05-31", "14:30", "2024-05-31T25:00Z", "31.05.2024 14:30", "1717166400", "0001-01-01T00:00:00+05:00"]
)
def test_a_moment_in_any_other_form_is_no_moment(judge, make_contract, cell):
    assert "expected a date and time such as" in value(judge, make_contract, column(datetime, "A moment."), cell)


@pytest.mark.parametrize("cell", ["", "  ", "NA", " NA ", "no_answer", None])
def test_a_missing_code_is_null_in_every_typed_column(judge, make_contract, cell):
    for dtype in (float, int, bool, date, datetime):
        assert value(judge, make_contract, column(dtype, "A value."), cell) is None


def test_a_missing_code_that_looks_like_a_value_is_missing_still(judge, make_contract):
    assert value(judge, make_contract, column(int, "A count.", missing=("", "-99")), "-99") is None


@pytest.mark.parametrize("dtype", [int, float, Decimal])
@pytest.mark.parametrize("cell", ["-1", "-1.0", " -1 ", "-1.", "-01", "-1.00"])
def test_a_missing_code_of_a_number_is_that_number_however_it_is_written(judge, make_contract, dtype, cell):
    of_code = column(dtype, "A number.", missing=("-1", "n/k"), **({"scale": 2} if dtype is Decimal else {}))
    contract = make_contract({"x": of_code})
    for rows in (1, FEW_ROWS):
        judged = judge(contract, {"x": [cell, "n/k", "-2"] * rows})
        assert judged.valid["x"].to_list() == [None, None, dtype(-2)] * rows


def test_a_missing_code_of_a_number_is_meant_in_the_drop_s_own_number_format(judge, make_contract):
    contract = make_contract({"x": column(float, "A number.", missing=("-1", "-99.5", "-1000"))})
    judged = judge(contract, {"x": ["-1,0", "-99,50", "-1.000", "-1,5"]}, numbers=NumberFormat(",", "."))

    assert judged.valid["x"].to_list() == [None, None, None, -1.5]


def test_a_default_stands_for_a_missing_code_however_it_is_written(judge, make_contract):
    contract = make_contract({"x": column(int, "A number.", missing=("-1",), default=0)})

    assert judge(contract, {"x": ["-1.0", "-1", "7"]}).valid["x"].to_list() == [0, 0, 7]


def test_a_missing_code_of_a_text_is_that_text_only(judge, make_contract):
    contract = make_contract({"x": column(str, "A text.", missing=("-1",))})

    assert judge(contract, {"x": ["-1", "-1.0", " -1 "]}).valid["x"].to_list() == [None, "-1.0", None]


@pytest.mark.parametrize(
    ("dtype", "formats", "cell"),
    [
        (datetime, (), "2016-12-31T23:59:60Z"),
        (datetime, (), "2016-12-31 23:59:60"),
        (datetime, (), "2016-12-31T23:59:60.5+00:00"),
        (datetime, (), "2024-05-31 10:20:60"),
        (datetime, (), "2016-12-31T24:00:00"),
        (datetime, ("%d/%m/%Y %H:%M:%S",), "31/12/2016 23:59:60"),
        (datetime, ("%d/%m/%Y %T",), "31/12/2016 23:59:60"),
        (datetime, ("%Y%m%d%H%M%S",), "20161231235960"),
        (datetime, ("%d.%m.%Y %H:%M:%S%.f %z",), "31.12.2016 23:59:60.25 +0000"),
        (time, (), "10:20:60"),
        (time, (), "24:00:00"),
        (time, ("%I:%M:%S %p",), "10:20:60 PM"),
        (time, ("%-H.%M.%-S",), "10.20.60"),
    ],
)
def test_a_leap_second_or_an_hour_24_is_never_moved_to_the_next_minute_or_day(
    judge, make_contract, dtype, formats, cell
):
    of_format = make_contract({"x": column(dtype, "A moment.", formats=formats)})
    for rows in (1, FEW_ROWS):
        judged = judge(of_format, {"x": [cell] * rows})
        assert (judged.valid.height, judged.bad.height) == (0, rows)
        assert f"found '{cell}'" in judged.bad["reasons"][0]


def test_sixty_in_another_place_of_a_moment_is_no_leap_second(judge, make_contract):
    written = column(datetime, "A moment.", formats=("%H:%M:%S %d/%m/%y", "%H:%M:%S%.f %d/%m/%Y"))
    judged = judge(make_contract({"x": written}), {"x": ["10:20:30 01/01/60", "10:20:30.60 01/01/1960"]})

    assert judged.valid["x"].dt.year().to_list() == [2060, 1960]


@pytest.mark.parametrize("cell", ["NA", " two words ", "null", "ß\n"])
def test_a_text_is_kept_as_it_is(judge, make_contract, cell):
    assert value(judge, make_contract, column(str, "A text."), cell) == cell


@pytest.mark.parametrize("cell", ["", " \t"])
def test_a_text_of_blanks_only_is_missing(judge, make_contract, cell):
    assert value(judge, make_contract, column(str, "A text."), cell) is None


def test_the_types_are_those_of_the_warehouse(judge, make_contract):
    columns = {
        "f": column(float, "f"),
        "i": column(int, "i"),
        "b": column(bool, "b"),
        "d": column(date, "d"),
        "m": column(datetime, "m"),
        "t": column(str, "t"),
    }
    judged = judge(make_contract(columns), {name: ["NA"] for name in columns})
    assert judged.valid.schema == {
        "f": pl.Float64,
        "i": pl.Int64,
        "b": pl.Boolean,
        "d": pl.Date,
        "m": pl.Datetime("us", "UTC"),
        "t": pl.String,
        "_line": pl.UInt64,
        "_rescued": pl.String,
    }


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_survives_being_written_and_read(judge, make_contract, written):
    found = value(judge, make_contract, column(float, "A number."), repr(written))
    assert found == written
    assert math.copysign(1, found) == math.copysign(1, written)


@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["", ".0"]))
def test_every_whole_number_survives_being_written_and_read(judge, make_contract, written, ending):
    assert value(judge, make_contract, column(int, "A count."), f"{written}{ending}") == written


@given(st.dates())
def test_every_day_survives_being_written_and_read(judge, make_contract, written):
    assert value(judge, make_contract, column(date, "A day."), written.isoformat()) == written


FIRST, LAST = datetime.fromisoformat("0001-01-02"), datetime.fromisoformat("9999-12-30")
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(FIRST, LAST, timezones=ZONES), st.sampled_from(["T", " "]))
def test_every_moment_survives_being_written_and_read(judge, make_contract, written, between):
    assert value(judge, make_contract, column(datetime, "A moment."), written.isoformat(between)) == written
