"""Real files, nice and nasty: read exactly or refused, never misread in silence, never a crash."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from declaring import dataset
from files import Content, content, requiring

from lastmile.contracts import Contract, column
from lastmile.contracts.names import normal_name
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers import open_drop

#: C1 control characters as the cp1252 they were.
CONTROLS = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}


def naming(names: list[str]) -> Contract:
    """A contract that requires all these headers, whatever characters are in them."""
    known = list(dict.fromkeys(name for name in names if normal_name(name)))
    columns = {f"c{number}": column(str, name, required=True, aliases=(name,)) for number, name in enumerate(known)}
    return dataset(columns)


def taken(file: Path, contract: Contract) -> Content | None:
    """What is read of the file; None where it is refused."""
    try:
        return content(open_drop(file, file.name, contract))
    except Refused:
        return None


def as_written(file: Path) -> tuple[list[str], list[tuple[str, ...]]]:
    with file.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    return header, [tuple(row) for row in rows]


def test_every_survey_is_read_exactly(shared_data: Path) -> None:
    files = sorted((shared_data / "household_rhomis").rglob("*.csv"))
    rows = 0
    for file in files:
        header, written = as_written(file)
        found = content(open_drop(file, file.name, naming(header)))
        assert found.header == header
        assert found.rows == written
        assert not found.broken
        rows += len(written)
    assert (len(files), rows) == (306, 30_271)


def surveyed(shared_data: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    folder = shared_data / "nasty_csv_pollock_survey"
    for file in sorted((folder / "csv").iterdir()):
        yield file, json.loads((folder / "parameters" / f"{file.name}_parameters.json").read_text())


def test_files_from_the_wild_are_read_as_a_person_would_or_refused(shared_data: Path) -> None:
    read = 0
    for file, known in surveyed(shared_data):
        found = taken(file, naming(known["column_names"]))
        if found is None or not found.header:
            continue
        lines = io.StringIO(file.read_bytes().decode(str(found.format["encoding"])).translate(CONTROLS), newline="")
        rows = [tuple(row) for row in csv.reader(lines, delimiter=str(found.format["delimiter"])) if any(row)]
        records = len(found.rows) + len(found.broken)
        header, *expected = rows[len(rows) - records - 1 :]
        below = [record.raw for record in found.broken if "another one" in record.reason]
        foreign = {tuple(row) for row in csv.reader(below, delimiter=str(found.format["delimiter"]))}
        expected = [row for row in expected if row not in foreign]
        width = len(found.header) + int(found.format.get("trailing_delimiter", 0))
        good = [row[: len(found.header)] for row in expected if len(row) == width and row != header]
        assert found.rows == good, file.name
        assert len(found.broken) - len(below) == len(expected) - len(good), file.name
        read += 1
    assert read == 37


def test_a_polluted_row_is_set_aside_and_no_other_changes(shared_data: Path) -> None:
    folder = shared_data / "nasty_csv_pollock_polluted" / "csv"
    header, clean = as_written(folder / "source.csv")
    for file in sorted(folder.glob("row_*.csv")):
        found = content(open_drop(file, file.name, naming(header)))
        assert set(found.rows) < set(clean), file.name
        assert (len(found.rows), len(found.broken)) == (len(clean) - 1, 1), file.name


def test_malformed_csv_is_refused_or_broken_and_well_formed_is_read_as_stated(shared_data: Path) -> None:
    for file in sorted((shared_data / "nasty_csv_testdata" / "csv").glob("*header-*.csv")):
        found = taken(file, naming(["foo", "bar", "baz"]))
        if file.name.startswith("bad-") and file.stat().st_size:
            assert found is None or (not found.rows and found.broken), file.name
        elif file.name.startswith("header-"):
            stated = json.loads((file.parents[1] / "json" / f"{file.stem}.json").read_text())
            assert found is not None
            assert [dict(zip(found.header, row, strict=True)) for row in found.rows] == stated, file.name


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_no_malformed_json_becomes_a_row(shared_data: Path, tmp_path: Path, suffix: str) -> None:
    for file in sorted((shared_data / "nasty_json_testsuite").glob("[ny]_*.json")):
        value = file.read_bytes()
        good, other = b'{"id": "1"}', b'{"id": ' + value + b"}"
        path = tmp_path / f"visits.{suffix}"
        path.write_bytes(good + b"\n" + other if suffix == "jsonl" else b"[" + good + b"," + other + b"]")
        found = taken(path, requiring("id"))
        if file.name.startswith("n_"):
            assert found is None or found.rows == [("1",)], file.name
        elif "duplicated" not in file.name and not (suffix == "jsonl" and b"\n" in value):
            assert found is not None, file.name
            assert len(found.rows) == 2, file.name


def test_malformed_parquet_is_unreadable_and_the_process_lives(shared_data: Path) -> None:
    accepted = []
    for file in sorted((shared_data / "nasty_parquet_apache" / "bad_data").glob("*.parquet")):
        try:
            content(open_drop(file, file.name, naming(columns(file))))
            accepted.append(file.name)
        except Unreadable:
            continue
    assert accepted == ["ARROW-GH-43605.parquet"]  # malformed in its bit widths only; its values are whole


def columns(file: Path) -> list[str]:
    try:
        return list(pq.read_schema(file).names)
    except (OSError, pa.ArrowInvalid):
        return ["id"]


@pytest.mark.parametrize("corpus", ["nasty_csv_duckdb", "nasty_xlsx_calamine", "nasty_parquet_apache"])
def test_whatever_comes_is_read_or_refused(shared_data: Path, corpus: str) -> None:
    contract = requiring(optional=("a", "id", "name", "x", "col1", "column1", "test1"))
    files = sorted(path for path in (shared_data / corpus).rglob("*.*") if path.is_file())
    assert {taken(file, contract) is None for file in files} == {True, False}
