"""One rule for the names of a header, whatever the format: repeated and empty ones, and those the contract knows."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from declaring import changed
from files import VISITS, read, refusal
from workbooks import workbook

from lastmile.contracts import column
from lastmile.ingestion.batch import Refused

Written = Callable[[Sequence[str], Sequence[str]], tuple[str, bytes]]


def as_csv(header: Sequence[str], row: Sequence[str]) -> tuple[str, bytes]:
    return "drop.csv", f"{','.join(header)}\n{','.join(row)}\n".encode()


def as_workbook(header: Sequence[str], row: Sequence[str]) -> tuple[str, bytes]:
    return "drop.xlsx", workbook({"Data": [list(header), list(row)]})


def as_parquet(header: Sequence[str], row: Sequence[str]) -> tuple[str, bytes]:
    written = io.BytesIO()
    pq.write_table(pa.Table.from_arrays([pa.array([cell]) for cell in row], names=list(header)), written)
    return "drop.parquet", written.getvalue()


@pytest.fixture(params=[as_csv, as_workbook, as_parquet], ids=["csv", "excel", "parquet"])
def written(request: pytest.FixtureRequest) -> Written:
    made: Written = request.param
    return made


def test_repeated_and_empty_names_are_distinguished(tmp_path: Path, written: Written) -> None:
    name, data = written(["id", "x", "x", "", "x"], ["1", "2", "3", "4", "5"])
    found = read(tmp_path, data, name)

    assert found.header == ["id", "x", "x (2)", "column 4", "x (3)"]
    assert found.rows == [("1", "2", "3", "4", "5")]


def test_a_distinguished_name_can_be_declared(tmp_path: Path, written: Written) -> None:
    again = {"again": column(str, "Asked again.", required=True, aliases=("note (2)",))}
    name, data = written(["id", "note", "note"], ["1", "2", "3"])
    found = read(tmp_path, data, name, contract=changed(VISITS, columns={**VISITS.columns, **again}))

    assert found.header == ["id", "note", "note (2)"]


@pytest.mark.parametrize("header", [["id", "note", "note"], ["id", "Note", "remark"], ["id", "NOTE", "note"]])
def test_a_declared_column_that_is_named_twice_refuses_the_drop(
    tmp_path: Path, written: Written, header: list[str]
) -> None:
    known = changed(VISITS, columns={**VISITS.columns, "note": column(str, "Remark.", aliases=("remark",))})
    name, data = written(header, ["1", "2", "3"])

    message = refusal(tmp_path, data, name, contract=known, of=Refused)
    assert f"headers {header[1]!r} and {header[2]!r} (columns 2 and 3 of the file) both fit column 'note'" in message


def test_a_column_named_twice_far_to_the_right_is_named_in_the_message(tmp_path: Path) -> None:
    header = ["id", *(f"c{number}" for number in range(200)), "note", "Note"]
    name, data = as_csv(header, ["1"] * len(header))

    assert "(columns 202 and 203 of the file)" in refusal(tmp_path, data, name, of=Refused)
