"""How workbooks are read: cells as text, one sheet, and nothing that a hostile or damaged file could do to us."""

import json
import os
import sys
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from declaring import changed, dataset
from files import VISITS, content, read, refusal, requiring
from workbooks import (
    MAIN,
    Cell,
    Formula,
    Shown,
    open_document,
    open_row,
    sheet_xml,
    workbook,
    workbook_of_xml,
)

from lastmile.contracts import Contract, column
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.readers.excel import reader

NAME = "visits.xlsx"


def read_cells(file: Path) -> list[tuple[str | None, ...]]:
    """The cells of a workbook that has no header."""
    return content(open_drop(file, file.name, changed(requiring("id", optional=("b", "c")), headerless=True))).rows


def test_cells_are_read_as_text_that_loses_nothing(tmp_path: Path) -> None:
    moment = datetime(2019, 3, 4, 5, 6, 7)  # noqa: DTZ001  # spreadsheets know no zones
    rows = [
        ["id", "note"],
        ["007", 4.0],
        ["0.10", 0.1],
        ["é\n", True],
        [" ", date(2019, 3, 4)],
        ["5", moment],
        ["6", None],
        ["7", 1e300],
    ]
    found = read(tmp_path, workbook({"Visits": rows}), NAME)

    assert found.rows == [
        ("007", "4"),
        ("0.10", "0.1"),
        ("é\n", "true"),
        (" ", "2019-03-04"),
        ("5", "2019-03-04T05:06:07"),
        ("6", None),
        ("7", "1e+300"),
    ]
    assert found.lines == [2, 3, 4, 5, 6, 7, 8]
    assert json.loads(found.raw[0]) == {"id": "007", "note": "4"}
    assert found.format["sheet"] == "Visits"


def test_cells_with_errors_are_read_as_their_text(tmp_path: Path) -> None:
    found = read(tmp_path, workbook({"Visits": [["id", "note"], ["1", b"#N/A"], [b"#DIV/0!", "b"]]}), NAME)

    assert found.rows == [("1", "#N/A"), ("#DIV/0!", "b")]


def test_cells_with_errors_are_found_where_references_are_left_out(tmp_path: Path) -> None:
    cells = '<row><c t="inlineStr"><is><t>id</t></is></c><c t="inlineStr"><is><t>note</t></is></c></row>'
    error = "<row><c><v>1</v></c><c t='e'><f>1/0</f><v>#DIV/0!</v></c></row>"
    xml = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}{error}</sheetData></worksheet>'

    assert read(tmp_path, workbook_of_xml({"Visits": xml}), NAME).rows == [("1", "#DIV/0!")]


def test_the_only_visible_sheet_with_records_is_read_and_others_are_named(tmp_path: Path) -> None:
    sheets = {
        "Cover": [["Survey of the North"]],
        "Empty": [["id", "note"]],
        "2017": [["id", "note"], ["0", "of last year"]],
        "2018": [[], ["Title"], ["id", "note"], [], ["1", "a"]],
        "Key": [["id", "note"], ["9", "not for people"]],
    }
    found = read(tmp_path, workbook(sheets, hidden={"2017": "hidden", "Key": "veryHidden"}), NAME)

    assert found.rows == [("1", "a")]
    assert found.lines == [5]
    assert found.format["sheet"] == "2018"
    assert found.format["preamble_lines"] == 2
    assert found.format["sheets_left_out"] == "Cover, Empty, 2017 (hidden), Key (hidden)"


def test_two_sheets_with_records_are_refused_naming_both(tmp_path: Path) -> None:
    data = workbook({"North": [["id", "note"], ["1", "a"]], "South": [["note", "id"], ["b", "2"]]})

    message = refusal(tmp_path, data, NAME, of=Refused)

    assert "found 2: ['North', 'South']" in message
    assert "Format(sheet=...)" in message


def test_a_hidden_sheet_is_read_only_where_the_contract_names_it(tmp_path: Path) -> None:
    data = workbook({"V": [["id", "note"], ["1", "a"]]}, hidden={"V": "veryHidden"})

    assert "hidden ones only: ['V']" in refusal(tmp_path, data, NAME, of=Refused)
    assert read(tmp_path, data, NAME, changed(VISITS, sheet="V")).rows == [("1", "a")]


def test_the_sheet_that_the_contract_names_is_read(tmp_path: Path) -> None:
    data = workbook({"2018": [["id", "note"], ["1", "a"]], "2019": [["id", "note"], ["2", "b"]]})

    assert read(tmp_path, data, NAME, changed(VISITS, sheet="2019")).rows == [("2", "b")]
    assert "found ['2018', '2019']" in refusal(tmp_path, data, NAME, changed(VISITS, sheet="2020"), of=Refused)


def test_a_sheet_without_a_header_is_read_where_the_contract_says_so(tmp_path: Path) -> None:
    found = read(tmp_path, workbook({"V": [["1", "a"], ["2"]]}), NAME, changed(VISITS, headerless=True))

    assert (found.rows, found.lines) == ([("1", "a"), ("2", None)], [1, 2])


def test_a_header_of_merged_cells_is_read_where_its_names_are_joined(tmp_path: Path) -> None:
    data = workbook({"V": [["id", "travel", None], [None, "air", "rail"], ["1", 5, 6]]})

    assert read(tmp_path, data, NAME, requiring("id", "travel_air", "travel_rail")).rows == [("1", "5", "6")]


@pytest.mark.parametrize("suffix", ["xls", "xlsb"])
def test_dates_counted_from_1904_are_the_days_they_mean(shared_data: Path, suffix: str) -> None:
    file = shared_data / "nasty_xlsx_calamine" / f"date_1904.{suffix}"
    found = read_cells(file)

    assert found[0][0].startswith("2021-01-01")


def test_a_row_with_cells_right_of_the_header_is_broken(tmp_path: Path) -> None:
    found = read(tmp_path, workbook({"Visits": [["id", "note"], ["1"], ["2", "b", "c"], ["3", None, "c"]]}), NAME)

    assert found.rows == [("1", None)]
    assert [(record.line, record.raw) for record in found.broken] == [(3, '["2","b","c"]'), (4, '["3",null,"c"]')]
    assert found.reasons[3] == "expected 2 cells, found 3"


def test_a_lying_dimension_hides_no_rows(tmp_path: Path) -> None:
    rows = [["id", "note"], *([str(number), "a"] for number in range(3_000))]
    found = read(tmp_path, workbook_of_xml({"Visits": sheet_xml(rows, dimension="A1:B2")}), NAME, rows=700)

    assert [row[0] for row in found.rows] == [str(number) for number in range(3_000)]


def test_a_sheet_that_lacks_a_required_column_is_refused_with_its_name(tmp_path: Path) -> None:
    data = workbook({"Visits": [["hid", "note"], ["1", "a"]]})

    assert "required columns ['id'] are missing; the file has ['hid', 'note']" in refusal(
        tmp_path, data, NAME, of=Refused
    )


@pytest.mark.parametrize("rows", [[], [["id", "note"]]])
def test_a_workbook_without_records_has_no_batches(tmp_path: Path, rows: list[list[str]]) -> None:
    found = read(tmp_path, workbook({"Visits": rows}), NAME)

    assert found.rows == []
    assert found.header == (["id", "note"] if rows else [])


def test_a_damaged_workbook_is_unreadable(tmp_path: Path) -> None:
    whole = workbook({"Visits": [["id", "note"], ["1", "a"]]})

    for damaged in (whole[:-30], whole[:200] + os.urandom(200) + whole[400:], b"PK\x03\x04", b"\xd0\xcf\x11\xe0" * 300):
        assert "a workbook that is whole" in refusal(tmp_path, damaged, NAME, of=Unreadable)


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/s1.xml", "xl/_rels/workbook.xml.rels"])
def test_a_workbook_that_lacks_a_part_is_unreadable_not_empty(tmp_path: Path, part: str) -> None:
    whole = ZipFile(BytesIO(workbook({"Visits": [["id", "note"], ["1", "a"]]})))
    written = BytesIO()
    with ZipFile(written, "w") as archive:
        for name in whole.namelist():
            if name != part:
                archive.writestr(name, whole.read(name))

    assert "expected a workbook" in refusal(tmp_path, written.getvalue(), NAME, of=Unreadable)


@pytest.mark.parametrize(
    ("found", "instead"), [("<sheetData>", "<sheetDatb>"), ("</sheetData>", ""), ("<v>5</v>", "<v>5")]
)
def test_a_sheet_with_broken_xml_is_unreadable_not_empty(tmp_path: Path, found: str, instead: str) -> None:
    xml = sheet_xml([["id", "note"], ["1", 5]]).replace(found, instead, 1)

    assert "expected a workbook" in refusal(tmp_path, workbook_of_xml({"V": xml}), NAME, of=Unreadable)


def test_merged_areas_without_end_are_refused(tmp_path: Path) -> None:
    rows = [["id", "note"], *([str(number), "a"] for number in range(2_000))]
    xml = sheet_xml(rows, merged=["A1:XFD1048576"] * 500)

    assert "merged areas cover more" in refusal(tmp_path, workbook_of_xml({"V": xml}), NAME, of=Unreadable)


def test_an_archive_that_unpacks_to_far_more_than_it_is_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    bomb = workbook({"Visits": [["id", "note"], ["1", "a" * 50_000_000]]})

    assert len(bomb) < 100_000
    assert "at most 250 times its size" in refusal(tmp_path, bomb, NAME, of=Refused)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its address space")
def test_a_workbook_that_asks_for_too_much_memory_is_unreadable_and_the_process_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MEMORY", 400 * 2**20)
    far = f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c r="A1" t="str"><v>id</v></c></row>'
    far += '<row r="1048576"><c r="Z1048576"><v>1</v></c></row></sheetData></worksheet>'

    assert "at most 419,430,400 bytes" in refusal(tmp_path, workbook_of_xml({"V": far}), NAME, of=Unreadable)


def test_a_workbook_that_takes_too_long_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SECONDS", 0.001)

    assert "Send the table as CSV" in refusal(tmp_path, workbook({"V": [["id"]]}), NAME, of=Unreadable)


def test_entities_in_its_xml_do_not_swell(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    xml = f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]>' + sheet_xml([["id"], [b"#N/A"]]).replace("#N/A", "&l11;")

    with pytest.raises(Refused):
        read(tmp_path, workbook_of_xml({"V": xml}), NAME, requiring("id", optional=()))


def test_a_workbook_is_known_by_its_content(tmp_path: Path) -> None:
    assert read(tmp_path, workbook({"V": [["id"], ["1"]]}), "visits.csv").format["format"] == "excel"
    assert read(tmp_path, "id,note\n1,a\n", "visits.xls").format["format"] == "csv"


KINDS = dataset(
    {
        "id": column(str, "Key.", required=True),
        "n": column(int, "Count."),
        "x": column(float, "Measure."),
        "m": column(datetime, "Moment."),
        "d": column(date, "Day."),
        "t": column(time, "Time of day."),
    }
)


def faults(folder: Path, data: bytes, contract: Contract = KINDS) -> list[tuple[int, str, str]]:
    """Line, column and rule of each."""
    (folder / "dropped").write_bytes(data)
    batches = open_drop(folder / "dropped", NAME, contract).batches()
    return [(fault.line, fault.column, fault.rule) for batch in batches for fault in batch.faults]


def cells(folder: Path, *values: Cell, name: str = "id", merged: tuple[str, ...] = (), **more: str) -> bytes:
    """A workbook with one column of these values; its key, if it is another one, counts from 1."""
    rows = [[value] for value in values] if name == "id" else [[str(n), value] for n, value in enumerate(values, 1)]
    header = [name] if name == "id" else ["id", name]
    return workbook_of_xml({"V": sheet_xml([header, *rows], merged=merged)}, **more)


def column_of(folder: Path, data: bytes, contract: Contract = KINDS) -> list[str | None]:
    return [row[-1] for row in read(folder, data, NAME, contract).rows]


def test_numbers_shown_with_zeros_before_them_are_texts_as_they_are_shown(tmp_path: Path) -> None:
    values = [
        Shown(123, "0000000"), Shown(7, '"HH-"000'), Shown(1234, '"HH-"000'), Shown(1234, "000-00"),
        Shown(-7, "0000000"), Shown(1.5, "0000000"),
    ]  # fmt: skip
    data = cells(tmp_path, *values)

    assert column_of(tmp_path, data) == ["0000123", "HH-007", "HH-1234", "012-34", "-7", "1.5"]
    assert faults(tmp_path, data) == []


def test_they_stay_numbers_where_a_number_is_declared(tmp_path: Path) -> None:
    data = cells(tmp_path, Shown(123, "0000000"), Shown(7, '"HH-"000'), name="n")

    assert column_of(tmp_path, data) == ["123", "7"]


def test_other_formats_change_no_number(tmp_path: Path) -> None:
    values = [Shown(0.55, "0.00%"), Shown(1234.5, '#,##0.00 "€"'), Shown(0.5, "# ?/?")]

    assert column_of(tmp_path, cells(tmp_path, *values)) == ["0.55", "1234.5", "0.5"]


@pytest.mark.parametrize("number", ["254712345678901000", "2.54712345678901E+17", "1234567890123450", "-1E+15"])
def test_numbers_over_fifteen_digits_are_faults_where_every_digit_counts(tmp_path: Path, number: str) -> None:
    for name in ("id", "n", "x"):
        data = cells(tmp_path, Shown(float(number), '#,##0.00 "€"'), 12345678901234, name=name)
        assert faults(tmp_path, data) == ([] if name == "x" else [(2, name, "digits")])


def test_a_date_and_time_at_midnight_is_one(tmp_path: Path) -> None:
    noon, midnight = datetime(2024, 5, 31, 12), datetime(2024, 5, 31)  # noqa: DTZ001
    data = cells(tmp_path, noon, midnight, None, "", name="m")

    assert column_of(tmp_path, data) == ["2024-05-31T12:00:00", "2024-05-31T00:00:00", None, None]
    assert column_of(tmp_path, cells(tmp_path, midnight, name="d")) == ["2024-05-31"]


def test_durations_and_times_are_hours_minutes_and_seconds(tmp_path: Path) -> None:
    values = [
        Shown(1.5, "[h]:mm:ss"),
        Shown(0.5, "[h]:mm:ss"),
        Shown(10.63206018518, "[h]:mm:ss"),
        Shown(0.25, "hh:mm:ss"),
    ]

    assert column_of(tmp_path, cells(tmp_path, *values)) == ["36:00:00", "12:00:00", "255:10:10", "06:00:00"]


@pytest.mark.parametrize("value", ["", "<v/>", "<v />", "<v></v>", "\n <v></v>\n"])
def test_a_formula_that_was_never_calculated_is_its_text_and_a_fault(tmp_path: Path, value: str) -> None:
    data = workbook({"V": [["id", "n"], ["1", Formula("1+1", value)], [Formula("A2", value), 2], ["3", 3]]})

    assert read(tmp_path, data, NAME, KINDS).rows == [("1", "=1+1"), ("=A2", "2"), ("3", "3")]
    assert faults(tmp_path, data) == [(2, "n", "formula"), (3, "id", "formula")]
    assert faults(tmp_path, data, changed(KINDS, wrong_type="rescue")) == [(3, "id", "formula")]


def test_formulas_are_found_where_nothing_else_is(tmp_path: Path) -> None:
    data = workbook({"V": [["id", "n"], ["1", 1], [Formula("A2"), Formula("B2")]]})

    assert read(tmp_path, data, NAME, KINDS).rows == [("1", "1"), ("=A2", "=B2")]


def test_the_zero_of_a_program_that_calculates_nothing_is_no_value(tmp_path: Path) -> None:
    rows = [["id", "n"], ["1", Formula("1+1", "<v>0</v>")], ["2", Formula("1+1", "<v>2</v>")], ["3", 0]]
    never = workbook({"V": rows}, properties='<calcPr calcId="124519" fullCalcOnLoad="1"/>')

    assert column_of(tmp_path, never) == ["=1+1", "2", "0"]
    assert column_of(tmp_path, workbook({"V": rows})) == ["0", "2", "0"]


def test_a_calculated_formula_is_its_value_the_empty_text_too(tmp_path: Path) -> None:
    empty = '<row r="3"><c r="A3"><v>3</v></c><c r="B3" t="str"><f>""</f><v></v></c></row></sheetData>'
    xml = sheet_xml([["id", "n"], ["1", Formula("1+1", "<v>2</v>")]]).replace("</sheetData>", empty)

    assert read(tmp_path, workbook_of_xml({"V": xml}), NAME, KINDS).rows == [("1", "2"), ("3", None)]


def test_an_error_is_a_fault_unless_it_stands_for_no_value(tmp_path: Path) -> None:
    data = workbook({"V": [["id", "note"], ["1", b"#N/A"], ["2", b"#REF!"], ["3", "#N/A"]]})

    assert faults(tmp_path, data, VISITS) == [(2, "note", "error"), (3, "note", "error")]
    assert faults(tmp_path, data, changed(VISITS, missing=("", "#N/A"))) == [(3, "note", "error")]


def test_a_cell_that_a_merged_one_covers_is_a_fault(tmp_path: Path) -> None:
    rows = [["id", "travel", None, "note"], [None, "air", "rail", None], ["1", 5, 6, "north"], ["2", 5, None, None]]
    data = workbook_of_xml({"V": sheet_xml(rows, merged=("B1:C1", "B4:C4", "D3:D4", "F3:F4"))})
    contract = requiring("id", "travel_air", "travel_rail", optional=("note",))

    assert faults(tmp_path, data, contract) == [(4, "travel rail", "merged"), (4, "note", "merged")]


@pytest.mark.parametrize(
    ("number", "rule"), [("60", ["day"]), ("60.5", ["day"]), ("-1", ["day"]), ("59", []), ("61", [])]
)
def test_a_day_that_never_was_is_a_fault(tmp_path: Path, number: str, rule: list[str]) -> None:
    data = cells(tmp_path, Shown(float(number), "yyyy-mm-dd"), name="d")

    assert [found[2] for found in faults(tmp_path, data)] == rule
    if not rule:
        assert column_of(tmp_path, data) == ["1900-02-28" if number == "59" else "1900-03-01"]


def test_rows_that_a_filter_hides_are_read(tmp_path: Path) -> None:
    xml = sheet_xml([["id", "note"], ["1", "a"], ["2", "b"]]).replace('<row r="3">', '<row r="3" hidden="1">')

    assert read(tmp_path, workbook_of_xml({"V": xml}), NAME).rows == [("1", "a"), ("2", "b")]


def test_a_text_in_parts_is_one_text(tmp_path: Path) -> None:
    parts = "<is><r><t>a</t></r><r><rPr><b/></rPr><t>b</t></r></is>"
    xml = sheet_xml([["id"], ["x"]]).replace('<is><t xml:space="preserve">x</t></is>', parts)

    assert read(tmp_path, workbook_of_xml({"V": xml}), NAME).rows == [("ab",)]


def test_errors_durations_and_merged_cells_of_an_open_document_are_seen(tmp_path: Path) -> None:
    error = (
        '<table:table-cell office:value-type="{}" calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'
    )
    duration = '<table:table-cell office:value-type="time" office:time-value="{}"><text:p>x</text:p></table:table-cell>'
    rows = [
        open_row("id", "note"),
        open_row("1", error.format("string"), repeated=2),
        open_row("2", error.format("float").replace("office:value-type", 'office:value="0" office:value-type')),
        open_row("3", duration.format("PT36H00M00S")),
        open_row("4", duration.format("-PT0H00M01.500000000S")),
        open_row("5", "<table:covered-table-cell/>"),
        open_row("6", "a"),
    ]
    data = open_document("".join(rows))

    assert read(tmp_path, data, "visits.ods").rows == [
        ("1", "#N/A"),
        ("1", "#N/A"),
        ("2", "#N/A"),
        ("3", "36:00:00"),
        ("4", "-00:00:01.5"),
        ("5", None),
        ("6", "a"),
    ]
    assert faults(tmp_path, data, VISITS) == [
        (2, "note", "error"),
        (3, "note", "error"),
        (4, "note", "error"),
        (7, "note", "merged"),
    ]
