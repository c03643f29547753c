"""Where a header is found, and headers that have one field more or less than the records."""

from pathlib import Path

import pytest
from declaring import changed, dataset
from files import read, refusal, requiring

from lastmile.contracts import column
from lastmile.ingestion.batch import Refused

PLAIN = requiring("id", optional=("note", "kg"))
WITH_ROW_NAMES = requiring("id", optional=("row_names", "note"))


@pytest.mark.parametrize("lines", [21, 30, 100, 199])
@pytest.mark.parametrize("line", ["Title of a survey\n", "Contact;Ann\n", ";;\n", '"a;b\n', "Contact;\n"])
def test_a_header_is_found_below_a_long_preamble(tmp_path: Path, lines: int, line: str) -> None:
    found = read(tmp_path, line * lines + "id;note;kg\n1;a;5\n", contract=PLAIN)

    assert found.rows == [("1", "a", "5")]
    assert found.lines == [lines + 2]
    assert found.format["preamble_lines"] == lines


def test_a_record_that_looks_like_a_header_far_below_others_of_its_width_is_none(tmp_path: Path) -> None:
    data = "hid,note,kg\n" + "1,a,5\n" * 30 + "id,note,kg\n2,b,6\n"

    assert "required columns ['id']" in refusal(tmp_path, data, contract=PLAIN, of=Refused)


def test_a_header_is_not_looked_for_without_end(tmp_path: Path) -> None:
    assert "required columns ['id']" in refusal(tmp_path, "title\n" * 300 + "id,note\n1,a\n", of=Refused)


@pytest.mark.parametrize("end", ["", " ", '""'])
def test_a_delimiter_behind_the_header_only_is_no_column(tmp_path: Path, end: str) -> None:
    found = read(tmp_path, f"id,note,{end}\n1,a\n2,\n3\n", contract=PLAIN)

    assert found.header == ["id", "note"]
    assert found.rows == [("1", "a"), ("2", "")]
    assert list(found.reasons) == [4]


@pytest.mark.parametrize("records", ["1,a,x\n2,b\n", "1,a,\n", "", "1,a,b,c\n2,b\n"])
def test_a_name_that_is_empty_is_a_column_where_records_have_it_or_there_are_none(tmp_path: Path, records: str) -> None:
    assert len(read(tmp_path, f"id,note,\n{records}", contract=PLAIN).header) == 3


def test_an_empty_name_that_the_contract_knows_by_its_place_stays(tmp_path: Path) -> None:
    contract = dataset({"remark": column(str, "Remark.", required=True, aliases=("column 3",))})

    assert read(tmp_path, "id,note,\n1,a\n2,b\n", contract=contract).rows == []


@pytest.mark.parametrize("first", ['"Org"', "1", '"1"'])
def test_row_names_are_read_where_the_contract_declares_them(tmp_path: Path, first: str) -> None:
    found = read(tmp_path, f'"id","note"\n{first},"V1","a"\n7,"V2",\n', contract=WITH_ROW_NAMES)

    assert found.header == ["row_names", "id", "note"]
    assert found.rows == [(first.strip('"'), "V1", "a"), ("7", "V2", "")]


def test_row_names_may_be_required(tmp_path: Path) -> None:
    found = read(tmp_path, "Title\nid\tnote\n1\tV1\ta\n", contract=requiring("row_names", "id"))

    assert found.rows == [("1", "V1", "a")]


@pytest.mark.parametrize("data", ["id,note\n1,a\n", "id,note\n1,a\n2,b,c\n", "row_names,id,note\n1,a,b\n"])
def test_no_row_names_are_seen_where_the_header_has_as_many_fields_as_a_record(tmp_path: Path, data: str) -> None:
    assert read(tmp_path, data, contract=WITH_ROW_NAMES).rows[0][:2] == ("1", "a")


def test_a_field_without_a_name_is_never_guessed_to_be_row_names(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n1,V1,a\n2,V2,b\n")

    assert found.rows == []
    assert "declare a column 'row_names'" in found.reasons[2]
    assert "row_names" not in read(tmp_path, "id,note\n1,V1,a\n2,V2\n").reasons[2]


def test_drops_without_a_header_have_no_row_names(tmp_path: Path) -> None:
    bare = changed(WITH_ROW_NAMES, headerless=True)

    assert read(tmp_path, "1,a,b\n2,c,d\n", contract=bare).rows == [("1", "a", "b"), ("2", "c", "d")]


@pytest.mark.parametrize("title", ["id\n", "id,,\n", ",id,\n"])
def test_a_title_that_happens_to_be_a_name_is_not_the_header(tmp_path: Path, title: str) -> None:
    assert read(tmp_path, f"{title}id,note,kg\n1,a,5\n", contract=PLAIN).rows == [("1", "a", "5")]


def test_a_table_of_one_column_may_have_its_header_again(tmp_path: Path) -> None:
    assert read(tmp_path, "id\n1\nid\n2\n", contract=requiring("id", optional=())).rows == [("1",), ("2",)]
