"""Quotes and backslashes: what is a sign and what is a character, and that none of them vanishes."""

from pathlib import Path

import pytest
from declaring import changed
from files import VISITS, read, refusal

from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers import compression


@pytest.mark.parametrize("cell", ["C:\\new", "\\d+\\.\\d", "a\\", "50 \\% of it", "\\N", "caf\\u00e9", "\\'"])
def test_a_backslash_that_escapes_nothing_stays(tmp_path: Path, cell: str) -> None:
    found = read(tmp_path, f'id,note\n1,"say \\"x\\""\n2,"{cell} "\n3,{cell}\n')

    assert found.rows == [("1", 'say "x"'), ("2", f"{cell} "), ("3", cell)]
    assert found.format["escape"] == "\\"


def test_a_backslash_beside_an_escaped_quote_stays(tmp_path: Path) -> None:
    found = read(tmp_path, 'id,note\n1,"C:\\new \\"x\\""\n2,"D:\\tmp"\n')

    assert found.rows == [("1", 'C:\\new "x"'), ("2", "D:\\tmp")]


def test_backslashes_are_escaped_where_all_of_them_are(tmp_path: Path) -> None:
    found = read(tmp_path, 'id,note\n1,"C:\\\\new \\"x\\""\n2,"\\\\\\\\server"\n3,"two\\\nlines"\n')

    assert found.rows == [("1", 'C:\\new "x"'), ("2", "\\\\server"), ("3", "two\nlines")]


@pytest.mark.parametrize("rows", [['"\\\\server\\new"'], ['"C:\\\\new"', '"D:\\tmp"'], ['"D:\\tmp"', '"C:\\\\new"']])
def test_backslashes_both_doubled_and_single_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[str]
) -> None:
    data = 'id,note\n1,"say \\"x\\""\n' + "".join(f"2,{row}\n" for row in rows)

    assert "either doubled or single" in refusal(tmp_path, data, of=Refused)
    monkeypatch.setattr(compression, "BLOCK", 40)
    assert "either doubled or single" in refusal(tmp_path, data, of=Refused)


def test_a_path_that_ends_a_quoted_field_escapes_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, 'id,note\n1,"C:\\dir\\"\n2,"D:\\"\n')

    assert found.rows == [("1", "C:\\dir\\"), ("2", "D:\\")]
    assert "escape" not in found.format


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t", "^"])
@pytest.mark.parametrize("cell", ['5" pipe', "37°37'37.8\"N 55°E", 'GET "/a b" 200', 'a ""b"" c', '6"', 'x\\"y'])
def test_quotes_inside_fields_are_characters_where_no_field_starts_with_one(
    tmp_path: Path, delimiter: str, cell: str
) -> None:
    records = [f"{number}{delimiter}{cell}" for number in range(1_500)]
    found = read(tmp_path, "\n".join([f"id{delimiter}note", *records]))

    assert found.rows == [(str(number), cell) for number in range(1_500)]
    assert found.raw == records
    assert found.format["quote"] == "none"


def test_a_quote_inside_a_field_far_from_the_start_is_a_character_too(tmp_path: Path) -> None:
    found = read(tmp_path, "id,note\n" + "1,a\n" * 3_000 + '2,5" pipe\n')

    assert found.rows[-1] == ("2", '5" pipe')


@pytest.mark.parametrize("field", ['"Smith, J"', '"b"', ' "b"', '"b', '""'])
def test_a_field_that_starts_with_a_quote_later_is_never_read_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    monkeypatch.setattr(compression, "BLOCK", 64)
    found = read(tmp_path, "id,note\n" + '1,5" pipe\n' * 50 + f'2,{field}\n3,6" pipe\n')

    assert found.rows == [("1", '5" pipe')] * 50 + [("3", '6" pipe')]
    assert "found a field that starts with one" in found.reasons[52]


def test_a_quote_in_a_title_does_not_make_quotes_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BLOCK", 300)
    found = read(tmp_path, 'Survey "North"\nid,note\n' + "1,a\n" * 100 + '2,"b, c"\n')

    assert found.rows[-1] == ("2", "b, c")


@pytest.mark.parametrize("record", ['2,b"c', '2,"b', '2, "b"'])
def test_a_quote_inside_a_field_is_wrong_where_other_fields_are_quoted(tmp_path: Path, record: str) -> None:
    found = read(tmp_path, f'id,note\n1,"a, b"\n{record}\n')

    assert found.rows == [("1", "a, b")]
    assert 'expected " only around whole fields' in found.reasons[3]


def test_the_contract_says_whether_quotes_are_characters(tmp_path: Path) -> None:
    data = 'id,note\n1,5" pipe\n2,"b"\n'

    assert read(tmp_path, data, contract=changed(VISITS, quote="")).rows == [("1", '5" pipe'), ("2", '"b"')]
    assert read(tmp_path, data, contract=changed(VISITS, quote='"')).rows == [("2", "b")]
