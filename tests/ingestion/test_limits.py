"""Limits hold before a drop is parsed, and a bomb is refused at bounded memory."""

import gzip
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bombs import BOMBS, Measured, measure
from files import VISITS, read, refusal
from workbooks import workbook

from lastmile.contracts import Contract
from lastmile.contracts.settings import Limits
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.validation import Plan

#: What any of them may take, in MiB: of us, and of the child that reads workbooks.
MOST, MOST_OF_CHILD = 450, 2_100


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measured]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("needs the peak memory that Linux keeps of a process")
    folder = tmp_path_factory.mktemp("bombs")
    files = [(folder / str(number), bomb.name) for number, bomb in enumerate(BOMBS.values())]
    for (path, _), bomb in zip(files, BOMBS.values(), strict=True):
        bomb.make(path)
    found = dict(zip(BOMBS, measure(files), strict=True))
    shutil.rmtree(folder)
    return found


@pytest.mark.behaviour(number=32)
@pytest.mark.parametrize("title", BOMBS)
def test_a_bomb_is_refused_with_its_reason_at_bounded_memory(measured: dict[str, Measured], title: str) -> None:
    bomb, found = BOMBS[title], measured[title]

    if bomb.says is None:
        assert (found.message, found.rows) == (None, 1)
    else:
        assert bomb.says in (found.message or f"{found.rows} records were read")
    assert found.peak_mib < MOST
    assert found.child_mib < MOST_OF_CHILD


def holding(**limits: int) -> Contract:
    return replace(VISITS, limits=Limits(**limits))


def zipped(files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


TEN = "".join(f'{{"id": {number}}}\n' for number in range(10))
OF_EVERY_FORMAT = {
    "visits.csv": b"id\n" + b"1\n" * 10,
    "visits.jsonl": TEN.encode(),
    "visits.json": b"[" + TEN.strip().replace("\n", ",").encode() + b"]",
    "visits.xlsx": workbook({"V": [["id"], *[["1"]] * 10]}),
    "visits.parquet": parquet(pa.table({"id": range(10)})),
}


@pytest.mark.behaviour(number=32)
@pytest.mark.parametrize("name", OF_EVERY_FORMAT)
def test_rows_are_counted_in_every_format(tmp_path: Path, name: str) -> None:
    assert len(read(tmp_path, OF_EVERY_FORMAT[name], name, holding(rows=10)).rows) == 10
    assert "at most 9 rows" in refusal(tmp_path, OF_EVERY_FORMAT[name], name, holding(rows=9), of=Refused)


@pytest.mark.behaviour(number=32)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("visits.csv", b"id,a,b\n1,2,3\n"),
        ("visits.jsonl", b'{"id": 1, "a": 2}\n{"b": 3}\n'),
        ("visits.json", b'[{"id": 1, "a": 2}, {"b": 3}]'),
        ("visits.xlsx", workbook({"V": [["id", "a", "b"]]})),
        ("visits.parquet", parquet(pa.table({"id": [1], "inside": [{"a": 1, "b": 2}]}))),
    ],
)
def test_columns_are_counted_in_every_format(tmp_path: Path, name: str, data: bytes) -> None:
    read(tmp_path, data, name, holding(columns=3))
    assert "limits.columns in the contract" in refusal(tmp_path, data, name, holding(columns=2), of=Refused)


@pytest.mark.behaviour(number=32)
def test_what_is_unpacked_is_counted_while_it_is(tmp_path: Path) -> None:
    packed = gzip.compress(b"id,note\n" + b"1,a\n" * 5_000)

    assert len(read(tmp_path, packed, contract=holding(unpacked_bytes=20_008)).rows) == 5_000
    assert "limits.unpacked_bytes" in refusal(tmp_path, packed, contract=holding(unpacked_bytes=20_007), of=Refused)


@pytest.mark.behaviour(number=32)
def test_nesting_is_counted_before_it_is_parsed(tmp_path: Path) -> None:
    record = json.dumps({"id": {"a": [1]}})

    read(tmp_path, f"[{record}]", "visits.json", holding(nesting=4))
    assert "at most 3 deep" in refusal(tmp_path, f"[{record}]", "visits.json", holding(nesting=3), of=Refused)
    found = read(tmp_path, f'{record}\n{{"id": 1}}\n', "visits.jsonl", holding(nesting=2))
    assert found.rows == [("1",)]
    assert "limits.nesting" in found.reasons[1]


@pytest.mark.behaviour(number=32)
def test_a_cell_longer_than_the_contract_lets_it_be_costs_its_row(tmp_path: Path) -> None:
    contract = holding(cell_characters=3)
    path = tmp_path / "visits.csv"
    path.write_text("id,note\n1,äöü\n2,äöüß\n")

    reader = open_drop(path, path.name, contract)
    judged = Plan(contract, reader.header).validate(next(reader.batches()))

    assert judged.valid["id"].to_list() == ["1"]
    assert "at most 3 characters" in judged.bad["reasons"][0]


def test_a_zip_of_one_file_is_read_as_that_file(tmp_path: Path) -> None:
    found = read(tmp_path, zipped({"field/visits.csv": "id,note\n1,a\n", "__MACOSX/._visits.csv": "?"}), "visits.zip")

    assert found.rows == [("1", "a")]
    assert (found.format["compression"], found.format["member"]) == ("zip", "field/visits.csv")
    assert read(tmp_path, zipped({"visits.jsonl": '{"id": 1}'}), "visits.zip").format["format"] == "jsonl"


def test_a_zip_of_several_files_or_none_is_refused_with_their_names(tmp_path: Path) -> None:
    assert "found 2: 'a.csv', 'b.csv'" in refusal(tmp_path, zipped({"a.csv": "id", "b.csv": "id"}), of=Refused)
    assert "found 0: none" in refusal(tmp_path, zipped({"empty/": ""}), of=Refused)


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "..\\a.csv", "C:a.csv", "a\u202evsc.csv"])
def test_a_name_in_a_zip_that_points_out_of_it_is_refused(tmp_path: Path, name: str) -> None:
    assert "points out of it" in refusal(tmp_path, zipped({name: "id\n1\n"}), of=Refused)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    locked = bytearray(zipped({"a.csv": "id\n1\n"}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + place] |= 1

    assert "is encrypted" in refusal(tmp_path, bytes(locked), of=Refused)


def test_what_is_compressed_twice_is_refused(tmp_path: Path) -> None:
    assert "Compress it once" in refusal(tmp_path, gzip.compress(gzip.compress(b"id\n1\n")), of=Refused)
