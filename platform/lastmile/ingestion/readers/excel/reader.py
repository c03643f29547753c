"""Workbooks (xlsx, xlsm, xlsb, xls, ods), opened by calamine in a process of its own.

A workbook is the one format whose parser must be trusted with the whole file at once: a few kilobytes can claim
gigabytes, and a damaged one can kill the process. So the archive's declared sizes are looked at first, and the rest is
done in a child with bounded memory and time, which leaves the rows of every sheet as text for validation.

The sheet is the one the contract names, or the first whose header fits; others that fit too are named in the format as
left out. Records are the rows with any cell filled, lines their numbers in the sheet. Empty cells are null. Cells with
errors are read as their text (`#N/A`) in xlsx and xlsm; in the other kinds calamine gives them as empty.
"""

import errno
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import orjson
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.settings import Format, Limits
from lastmile.ingestion.batch import BrokenRecord, RawBatch, Reader, Refused, Unreadable
from lastmile.ingestion.readers.archive import ZIP, listed
from lastmile.ingestion.readers.cells import cell_text, raw_rows
from lastmile.ingestion.readers.compression import check_unpacked
from lastmile.ingestion.readers.excel.workbook import TOO_LARGE
from lastmile.ingestion.readers.header import PREAMBLE, Heading, find_heading, refusal

#: Declared bytes of an archive's content: what a child of `MEMORY` could not take is not tried.
LARGEST = 2**30
#: What the child may take.
MEMORY, SECONDS = 2 * 2**30, 600


class Row(NamedTuple):
    """A row of a sheet: its 1-based number, and its cells up to the last that is filled."""

    number: int
    cells: list[str | None]


def open_excel(path: Path, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Raises Refused where no sheet fits or the content is too large, Unreadable where it is no workbook."""
    _check_sizes(path, contract.limits)
    found |= {"format": "excel"}
    folder = TemporaryDirectory(prefix="lastmile-workbook-")
    sheets = _chosen(_sheets(path, Path(folder.name), contract.limits), contract)
    starts = {name: list(islice(_rows(file, contract.format), PREAMBLE + 1)) for name, file in sheets.items()}
    if not any(starts.values()):
        return Reader(found, [], lambda rows: iter(()))
    headings = {name: find_heading(map(_names, start), contract) for name, start in starts.items()}
    fitting = {name: heading for name, heading in headings.items() if heading is not None}
    if not fitting:
        raise refusal([_names(row) for start in starts.values() for row in start], contract)
    sheet, heading = next(iter(fitting.items()))
    found |= {
        "sheet": sheet,
        "preamble_lines": starts[sheet][heading.position].number - 1 if heading.position >= 0 else 0,
    }
    if len(fitting) > 1:
        found["sheets_left_out"] = ", ".join(list(fitting)[1:])

    def produce(rows: int) -> Iterator[RawBatch]:
        return _batches(Path(folder.name) / sheets[sheet].name, contract.format, heading, rows)

    return Reader(found, heading.names, produce)


def first_rows(path: Path, limits: Limits, rows: int) -> dict[str, list[list[str]]]:
    """The names that may stand in a header: of each sheet so many rows. Raises as `open_excel` does."""
    _check_sizes(path, limits)
    with TemporaryDirectory(prefix="lastmile-workbook-") as folder:
        sheets = _sheets(path, Path(folder), limits)
        return {name: [_names(row) for row in islice(_rows(file, Format()), rows)] for name, file in sheets.items()}


def _check_sizes(path: Path, limits: Limits) -> None:
    with path.open("rb") as file:
        if not file.read(4).startswith(ZIP):
            return
        with listed(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    check_unpacked(size, path.stat().st_size, "workbook", limits)
    if size > LARGEST:
        raise Refused(
            f"expected a workbook of at most {LARGEST:,} bytes unpacked, found {size:,}. Send the table as CSV."
        )


def _chosen(sheets: dict[str, Path], contract: Contract) -> dict[str, Path]:
    """The sheet the contract names, or all of them."""
    if contract.format.sheet is None or not sheets:
        return sheets
    if contract.format.sheet not in sheets:
        raise Refused(
            f"dataset {contract.name}: expected a sheet named {contract.format.sheet!r}, found {list(sheets)}. Rename "
            "it, or name another in the contract."
        )
    return {contract.format.sheet: sheets[contract.format.sheet]}


def _sheets(path: Path, folder: Path, limits: Limits) -> dict[str, Path]:
    """Sheet name to a file of its rows, in the workbook's order."""
    script = Path(__file__).with_name("workbook.py")
    bounds = map(str, (MEMORY, limits.columns, limits.record_bytes))
    command = [sys.executable, "-P", str(script), str(path), str(folder), *bounds]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Unreadable(f"the workbook could not be read in {SECONDS} seconds. Send the table as CSV.") from None
    if done.returncode == TOO_LARGE:
        raise Refused(f"{done.stderr.strip()} in the contract if this is meant.")
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"its parser ended with {done.returncode}"])[-1]
        if f"[Errno {errno.ENOSPC}]" in reason:
            raise OSError(errno.ENOSPC, f"no room for the rows of the workbook: {reason}")
        raise Unreadable(
            f"expected a workbook that is whole, has no password and takes at most {MEMORY:,} bytes to read; {reason}. "
            "Save it again, or as CSV."
        )
    names = orjson.loads((folder / "sheets.json").read_bytes())
    return {name: folder / f"{number}.jsonl" for number, name in enumerate(names)}


def _rows(file: Path, said: Format) -> Iterator[Row]:
    """The rows, but for those that the contract says to skip."""
    with file.open("rb") as lines:
        for line in lines:
            number, *cells = orjson.loads(line)
            texts = [cell_text(cell) or None for cell in cells]
            filled = max(position for position, text in enumerate(texts, 1) if text is not None)
            is_comment = said.comment is not None and (texts[0] or "").startswith(said.comment)
            if number > said.skip_lines and not is_comment:
                yield Row(number, texts[:filled])


def _names(row: Row) -> list[str]:
    return [cell or "" for cell in row.cells]


def _batches(file: Path, said: Format, heading: Heading, rows: int) -> Iterator[RawBatch]:
    data = islice(_rows(file, said), heading.position + 1, None)
    while some := list(islice(data, rows)):
        yield _batch(some, heading.names)


def _batch(rows: Sequence[Row], header: list[str]) -> RawBatch:
    """Cells right of the header belong to no column, so a row that has any is broken."""
    good = [row for row in rows if len(row.cells) <= len(header)]
    frame = pl.DataFrame(
        [row.cells + [None] * (len(header) - len(row.cells)) for row in good], _schema(header), orient="row"
    )
    broken = [
        BrokenRecord(
            row.number, orjson.dumps(row.cells).decode(), f"expected {len(header)} cells, found {len(row.cells)}"
        )
        for row in rows
        if len(row.cells) > len(header)
    ]
    return RawBatch(frame, pl.Series("line", [row.number for row in good], pl.UInt64), raw_rows(frame), broken)


def _schema(header: list[str]) -> dict[str, type[pl.DataType]]:
    return dict.fromkeys(header, pl.String)
