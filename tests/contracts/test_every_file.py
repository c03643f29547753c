"""What users say of their files: each word of a contract, on a file that needs it."""

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from unittest import mock

import pandera.polars as pa
import polars as pl
import pytest
from contracts.judging import judge
from declaring import dataset
from files import read, refusal, requiring

from lastmile.contracts import Contract, Json, Partition, column, field
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.validation import plan


def values(spec, *cells):
    """What the cells of one column are, `...` where they do not fit; the same closely and on the fast path."""
    found = []
    for few in (10_000, 0):
        with mock.patch.object(plan, "FEW_ROWS", few):
            judged = judge(dataset({"x": spec}), pl.DataFrame({"x": list(cells)}, schema={"x": pl.String}))
        by_line = dict(judged.valid.select("_line", "x").iter_rows())
        found.append([by_line.get(line, ...) for line in range(len(cells))])
    assert found[0] == found[1]
    return found[0]


def test_dates_of_several_formats_stand_in_one_column():
    spec = column(date, "Day.", formats=("iso", "%d/%m/%Y", "excel"))
    assert values(spec, "2024-12-31", "31/12/2024", "45657", "45657.0", "31.12.2024", "31/12/24", "45657.5", "12") == [
        *[date(2024, 12, 31)] * 4, ..., ..., ..., ...
    ]  # fmt: skip


def test_a_date_that_two_formats_read_differently_is_neither():
    spec = column(date, "Day.", formats=("%d/%m/%Y", "%m/%d/%Y"))
    assert values(spec, "31/12/2024", "12/31/2024", "02/02/2024", "01/02/2024") == [
        date(2024, 12, 31), date(2024, 12, 31), date(2024, 2, 2), ...
    ]  # fmt: skip


def test_a_point_in_time_may_have_a_format_or_be_a_serial_number():
    spec = column(datetime, "When.", formats=("%d.%m.%Y %H:%M", "excel"))
    assert values(spec, "31.12.2024 14:30", "45657.604166666664", "2024-12-31T14:30Z") == [
        *[datetime(2024, 12, 31, 14, 30, tzinfo=UTC)] * 2, ...
    ]  # fmt: skip


def test_a_format_that_cannot_be_is_refused_at_declaration():
    with pytest.raises(ValueError, match="format 'DD/MM/YYYY' cannot be read"):
        dataset({"x": column(date, "Day.", formats=("DD/MM/YYYY",))})


def test_a_word_of_another_type_is_refused_at_declaration():
    with pytest.raises(ValueError, match="column x says symbols, which is for number or whole number or decimal"):
        dataset({"x": column(str, "Text.", symbols=("%",))})


def test_times_of_day_are_times():
    assert values(column(time, "At."), "14:30", "14:30:15", "14:30:15.25", "7:05", "25:00", "") == [
        time(14, 30), time(14, 30, 15), time(14, 30, 15, 250_000), ..., ..., None
    ]  # fmt: skip
    assert values(column(time, "At.", formats=("%I:%M %p",)), "02:30 PM") == [time(14, 30)]


def test_currency_and_percent_signs_stand_around_numbers():
    spec = column(float, "Price.", symbols=("€", "KES", "%"))
    assert values(spec, "€ 12.5", "-€12.5", "12.5 %", "KES12", "12 USD", "€", "€ 12 %") == [
        12.5, -12.5, 12.5, 12.0, ..., ..., 12.0
    ]  # fmt: skip


def test_a_signed_number_shows_the_files_decimal_comma(tmp_path):
    contract = dataset({"id": column(str, "Key.", required=True), "kg": column(float, "Weight.", symbols=("€",))})
    assert read(tmp_path, "id;kg\n1;0,5 €\n2;€ 1.234,5\n", contract=contract).format["decimal"] == ","


def test_a_decimal_is_exact_to_its_scale_and_is_never_rounded():
    spec = column(Decimal, "Price.", scale=2)
    assert values(spec, "1.25", "1.250", "-0.5", "1.255", "1e3", "9" * 36 + ".99", "9" * 37) == [
        Decimal("1.25"), Decimal("1.25"), Decimal("-0.50"), ..., ..., Decimal("9" * 36 + ".99"), ...
    ]  # fmt: skip


def test_words_and_codes_stand_for_yes_and_no():
    spec = column(bool, "Yes?", true=("oui", "1"), false=("non", "2"))
    assert values(spec, "oui", "OUI", "1", "Non", "2", "0", "yes") == [True, True, True, False, False, ..., ...]


def test_answers_of_a_multiple_choice_are_a_list():
    spec = column(list[str], "Uses.", isin=["eat", "sell"])
    assert values(spec, "eat sell", "sell", "", '["eat","sell"]', "eat burn") == [
        ["eat", "sell"], ["sell"], None, ["eat", "sell"], ...
    ]  # fmt: skip
    assert values(column(list[str], "Crops.", separator=";"), "sweet potato; maize;") == [["sweet potato", "maize"]]


def test_json_is_kept_as_it_is_where_postgres_can_hold_it():
    assert values(column(Json, "Answers."), '{"a": 1.10}', "[1,", r'{"a":"\u0000"}', "NaN") == [
        '{"a": 1.10}',
        ...,
        ...,
        None,
    ]


def test_missing_codes_of_a_dataset_hold_for_columns_without_their_own():
    columns = {"a": column(int, "a"), "b": column(str, "b"), "c": column(int, "c", missing=("x",))}
    judged = judge(dataset(columns, missing=("-99",)), pl.DataFrame({"a": ["-99"], "b": ["-99"], "c": ["-99"]}))
    assert judged.valid.select("a", "b", "c").rows() == [(None, None, -99)]


@pytest.mark.parametrize("few", [0, 10_000])
def test_a_default_stands_where_there_is_no_value_and_for_no_other_cell(few):
    contract = dataset({"n": column(int, "n", default=7, required=True), "t": column(str, "t", default="none")})
    with mock.patch.object(plan, "FEW_ROWS", few):
        judged = judge(contract, pl.DataFrame({"n": ["1", "", "NA", "many"]}))
    assert judged.valid.select("n", "t").rows() == [(1, "none"), (7, "none"), (7, "none")]
    assert judged.bad.height == 1


def test_a_default_of_another_type_is_refused_at_declaration():
    with pytest.raises(ValueError, match="column n has default 'many'; expected a value of type Int64"):
        dataset({"n": column(int, "n", default="many")})


class Interviews(pa.DataFrameModel):
    id: str = field("Interview.")
    year: int | None = field("Year.")
    month: int | None = field("Month.")
    day: int | None = field("Day.")
    held_on: date | None = field("When.", derived=pl.date("year", "month", "day"), nullable=False, ge=date(2015, 1, 1))


INTERVIEWS = Contract(
    name="interviews",
    schema=Interviews,
    description="Interviews.",
    owner="team:field-data",
    partition=Partition("year", start=date(2015, 1, 1)),
)


@pytest.mark.parametrize("few", [0, 10_000])
def test_a_date_is_derived_from_its_three_parts_and_30_february_costs_its_row_alone(few):
    rows = [("1", "2020", "2", "29"), ("2", "2020", "2", "30"), ("3", "2014", "1", "1"), ("4", "2020", "", "1")]
    with mock.patch.object(plan, "FEW_ROWS", few):
        judged = judge(INTERVIEWS, pl.DataFrame(rows, schema=["id", "year", "month", "day"], orient="row"))
    assert judged.valid.select("id", "held_on").rows() == [("1", date(2020, 2, 29))]
    messages = [json.loads(reasons)[0]["message"] for reasons in judged.bad["reasons"]]
    assert messages[0] == "held_on: expected a value; found year=2020, month=2, day=30"
    assert messages[1].startswith("held_on: expected at least 2015-01-01; found year=2014")


def test_a_derived_column_that_a_file_brings_keeps_what_it_says():
    header = ["id", "year", "month", "day", "held_on"]
    rows = [("1", "2020", "2", "29", "2021-01-01"), ("2", "2020", "2", "29", ""), ("3", "2020", "2", "29", "soon")]
    judged = judge(INTERVIEWS, pl.DataFrame(rows, schema=header, orient="row"))
    assert judged.valid["held_on"].to_list() == [date(2021, 1, 1), date(2020, 2, 29)]
    assert json.loads(judged.bad["reasons"][0])[0]["rule"] == "type"


@pytest.mark.parametrize(
    ("derived", "told"),
    [
        (pl.col("b") + 1, "is derived from ['b']; expected some of"),
        (pl.col("a").sum(), "is derived from other rows too"),
        (pl.col("a").cast(pl.String), "is derived as String; expected Int64: cast it"),
    ],
)
def test_what_cannot_be_derived_row_by_row_is_refused_at_declaration(derived, told):
    with pytest.raises(ValueError, match=r"column x") as refused:
        dataset({"a": column(int, "a"), "x": column(int, "x", derived=derived)})
    assert told in str(refused.value)


def test_columns_are_declared_by_a_pattern_of_their_names():
    spec = column(float, "Harvested.", ge=0, regex=True)
    contract = dataset({"id": column(str, "Key.", required=True), r"crop_\w+_kg": spec})
    frame = pl.DataFrame(
        {"id": ["1", "2"], "Crop maize kg": ["2.5", "1"], "crop_rice_kg": ["-1", "NA"], "x": ["", "y"]}
    )
    here = contract.expanded(frame.columns)
    assert list(here.columns) == ["id", "crop_maize_kg", "crop_rice_kg"]
    judged = judge(here, frame)
    assert judged.valid.select("crop_maize_kg", "crop_rice_kg", "_rescued").rows() == [(1.0, None, '{"x":"y"}')]
    assert "crop_rice_kg: expected at least 0" in judged.bad["reasons"][0]


def test_a_required_pattern_that_no_header_fits_refuses_the_drop(tmp_path):
    contract = dataset(
        {"id": column(str, "Key.", required=True), "q_.*": column(str, "Answers.", regex=True, required=True)}
    )
    assert "expected columns whose names fit ['q_.*']" in refusal(
        tmp_path, "id,note\n1,a\n", contract=contract, of=Refused
    )
    assert read(tmp_path, "id,q_1\n1,a\n", contract=contract).rows == [("1", "a")]


def test_a_pattern_that_fits_a_declared_column_is_refused():
    with pytest.raises(ValueError, match=r"pattern 'i\.' fits columns \['id'\] too"):
        dataset({"id": column(str, "Key."), "i.": column(str, "Others.", regex=True)})


def said(**of_format):
    """A contract of `id` and `note`, with what it says of its files."""
    return dataset({"id": column(str, "Key.", required=True), "note": column(str, "Text.")}, **of_format)


def test_the_delimiter_and_quote_are_those_the_contract_says(tmp_path):
    text = "id;note\n1;a,b\n2;'c;d'\n"
    assert read(tmp_path, text, contract=said(delimiter=";", quote="'")).rows == [("1", "a,b"), ("2", "c;d")]
    assert read(tmp_path, 'id,note\n1,"a\n2,b"\n', contract=said(quote="")).rows == [("1", '"a'), ("2", 'b"')]
    assert read(tmp_path, "id#note\n1#a\n", contract=said(delimiter="#")).rows == [("1", "a")]


def test_skipped_lines_and_comments_are_no_records_and_lines_keep_their_numbers(tmp_path):
    text = "id,note from before\nx,y\nid,note\n# checked by Ann\n1,a\r\n#,\n2,#b\n"
    found = read(tmp_path, text, contract=said(skip_lines=2, comment="#"))
    assert found.rows == [("1", "a"), ("2", "#b")]
    assert found.lines == [5, 7]


def test_comments_are_found_across_blocks(tmp_path):
    lines = [f"# remark {number}\n{number},n" for number in range(700_000)]
    found = read(tmp_path, "id,note\n" + "\n".join(lines), contract=said(comment="#"))
    assert len(found.rows) == 700_000
    assert found.lines[-1] == 2 * 700_000 + 1


def test_other_encodings_are_said_in_the_format(tmp_path):
    assert read(tmp_path, "id\n1\nñ\n".encode("utf-16"), contract=requiring("id")).rows == [("1",), ("ñ",)]
