"""A file is empty only where every byte was seen to hold no record; one whose start shows none is read or refused."""

import gzip
from pathlib import Path

import pytest
from declaring import changed
from files import VISITS, read, refusal, requiring

from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers import compression, open_drop

#: Bytes of a block in these tests: a start of a few of them is as telling as one of some megabytes.
BLOCK = 2**12


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BLOCK", BLOCK)


@pytest.mark.parametrize("line", ["\n", "\r\n", "\r", "  \n", " \t \r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_blank_lines_over_whole_blocks_before_the_header_cost_no_row(tmp_path: Path, line: str, packed: bool) -> None:
    end, count = line.strip(" \t"), 3 * BLOCK
    data = (line * count + end.join(["id,note", "1,a", "2,b"])).encode()

    found = read(tmp_path, gzip.compress(data) if packed else data)

    assert found.rows == [("1", "a"), ("2", "b")]
    assert found.lines == [count + 2, count + 3]
    assert found.format["preamble_lines"] == count


@pytest.mark.parametrize("before", range(BLOCK - 3, BLOCK + 3))
def test_a_line_end_cut_by_a_block_of_blank_lines_is_one_line_end(tmp_path: Path, before: int) -> None:
    found = read(tmp_path, " " * before + "\r\n\r\nid,note\r\n1,a\r\n")

    assert found.rows == [("1", "a")]
    assert found.lines == [4]


def test_blank_lines_in_utf_16_cost_no_row(tmp_path: Path) -> None:
    found = read(tmp_path, ("\n" * 2 * BLOCK + "id,note\n1,a\n").encode("utf-16"))

    assert found.rows == [("1", "a")]


def test_lines_of_blanks_are_records_where_there_is_no_header(tmp_path: Path) -> None:
    bare = changed(requiring("id", optional=()), headerless=True)

    assert len(read(tmp_path, " \n" * 2 * BLOCK + "1\n", contract=bare).rows) == 2 * BLOCK + 1


@pytest.mark.parametrize(
    "data", ["\n" * 3 * BLOCK, " " * 3 * BLOCK, " \n" * 3 * BLOCK, " \n\t\n", "\ufeff", "\ufeff\n"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_file_of_nothing_but_blanks_is_empty(tmp_path: Path, data: str, encoding: str) -> None:
    data = data if encoding == "utf-8" else "\ufeff" + data.removeprefix("\ufeff")

    assert read(tmp_path, data.encode(encoding)).format["format"] == "empty"


def test_a_file_of_nothing_but_comments_is_empty_where_the_contract_knows_comments(tmp_path: Path) -> None:
    data = "# nothing yet\n" * BLOCK

    assert read(tmp_path, data, contract=changed(VISITS, comment="#")).format["format"] == "empty"
    assert "'# nothing yet'" in refusal(tmp_path, data, of=Refused)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("id,note," + "V1,a," * 2 * BLOCK, "limits.columns in the contract"),
        ("<?xml version='1.0'?><visits>" + "<visit>V1, a</visit>" * 2 * BLOCK + "</visits>", "limits.columns"),
        ("<visits>" + "<visit>V1</visit>" * BLOCK + "</visits>", "required columns ['id'] are missing"),
        ("x" * 5 * BLOCK, "required columns ['id'] are missing"),
    ],
)
def test_a_file_of_one_line_over_many_blocks_is_refused_with_what_it_is(
    tmp_path: Path, line: str, says: str, packed: bool
) -> None:
    assert says in refusal(tmp_path, gzip.compress(line.encode()) if packed else line, of=Refused)


def test_a_header_over_many_blocks_is_read(tmp_path: Path) -> None:
    names = ["id", *(f"a question of many words, number {number}" for number in range(1_000))]
    header = ",".join(f'"{name}"' for name in names)

    found = read(tmp_path, f"{header}\n{'1,' * 1_000}1\n")

    assert found.header == names
    assert len(found.rows) == 1


def test_a_start_without_a_line_end_is_read_no_further_than_a_record_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    contract = requiring("id")
    path = tmp_path / "visits.csv"
    with path.open("wb") as file:
        file.write(b"x")
        file.truncate(2**40)

    with pytest.raises(Refused, match="line 1: expected records of at most 16,777,216 bytes"):
        open_drop(path, path.name, contract)


@pytest.mark.parametrize("behind", [b"", b"id,note\n1,a\n", b"\nid,note\n1,a\n"])
@pytest.mark.parametrize("name", ["visits.csv", "visits.json"])
def test_a_file_that_begins_with_a_hole_is_unreadable(tmp_path: Path, behind: bytes, name: str) -> None:
    data = bytes(2 * BLOCK) + behind

    assert "NUL bytes" in refusal(tmp_path, data, name, of=Unreadable)
    assert "NUL bytes" in refusal(tmp_path, gzip.compress(data), f"{name}.gz", of=Unreadable)


def test_json_behind_blank_lines_is_read_whatever_its_name(tmp_path: Path) -> None:
    assert read(tmp_path, "\n" * 3 * BLOCK + '[{"id": "1"}]', "visits.txt").rows == [("1",)]
