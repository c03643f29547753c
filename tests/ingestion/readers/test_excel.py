"""How workbooks are read: cells as text, one sheet, and nothing that a hostile or damaged file could do to us."""

import json
import os
import sys
from datetime import date, datetime
from pathlib import Path

import pytest
from declaring import changed
from files import VISITS, content, read, refusal, requiring
from workbooks import MAIN, sheet_xml, workbook, workbook_of_xml

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


def test_the_first_sheet_whose_header_fits_is_read_and_others_that_fit_are_named(tmp_path: Path) -> None:
    sheets = {
        "Cover": [["Survey of the North"]],
        "2018": [[], ["Title"], ["id", "note"], [], ["1", "a"]],
        "2019": [["id", "note"], ["2", "b"]],
    }
    found = read(tmp_path, workbook(sheets), NAME)

    assert found.rows == [("1", "a")]
    assert found.lines == [5]
    assert found.format["sheet"] == "2018"
    assert found.format["preamble_lines"] == 2
    assert found.format["sheets_left_out"] == "2019"


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
