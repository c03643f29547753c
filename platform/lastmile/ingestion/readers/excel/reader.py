"""Workbooks (xlsx, xlsm, xlsb, xls, ods), opened by calamine in a process of its own.

A workbook is the one format whose parser must be trusted with the whole file at once: a few kilobytes can claim
gigabytes, and a damaged one can kill the process. So the archive's declared sizes are looked at first, and the rest is
done in a child with bounded memory and time, which leaves the rows of every sheet as text for validation.

The sheet is the one the contract names, or the only visible one with records under a header that fits; where two have,
the drop is refused. Records are the rows with any cell filled, lines their numbers in the sheet. Empty cells are null.
Cells with errors are read as their text (`#N/A`) in xlsx, xlsm and ods; in the others calamine gives them as empty.
What a cell seems and is not (see `workbook`) costs its row, unless the contract rescues what does not fit a type.
"""

import errno
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import orjson
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.contracts.settings import Format, Limits
from lastmile.contracts.types import Kind
from lastmile.ingestion.batch import BrokenRecord, CellFault, RawBatch, Reader, Refused, Unreadable
from lastmile.ingestion.readers.archive import ZIP, listed
from lastmile.ingestion.readers.cells import cell_text, needs_every_digit, raw_rows
from lastmile.ingestion.readers.compression import check_unpacked
from lastmile.ingestion.readers.excel.workbook import TOO_LARGE
from lastmile.ingestion.readers.header import PREAMBLE, Heading, find_heading, refusal
from lastmile.ingestion.validation.header_match import fit

#: Declared bytes of an archive's content: what a child of `MEMORY` could not take is not tried.
LARGEST = 2**30
#: What the child may take.
MEMORY, SECONDS = 2 * 2**30, 600


#: By rule of a remark, what was expected and what was found.
SAID = {
    "error": ("a value", "the error '{}'"),
    "formula": ("a value: open the workbook in a spreadsheet and save it", "a formula that was never calculated: '{}'"),
    "day": ("a day of the calendar", "the day number {}"),
    "digits": ("at most 15 digits, which is what a workbook keeps of a number, or a text", "{}"),
    "merged": ("a cell of its own: split the merged cells", "one that {} covers"),
}


class Sheet(NamedTuple):
    """A file of a sheet's rows, and whether people see the sheet."""

    file: Path
    is_visible: bool


class Declared(NamedTuple):
    """What a header's column is: its kind, the texts that stand for no value, whether what does not fit is rescued."""

    kind: Kind
    missing: Sequence[str]
    is_rescued: bool


class Row(NamedTuple):
    """A row of a sheet: its 1-based number, its cells up to the last that is filled, and rule and text by column."""

    number: int
    cells: list[str | None]
    remarks: Mapping[str, tuple[str, str]] = {}


def open_excel(path: Path, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Raises Refused where not one sheet fits or the content is too large, Unreadable where it is no workbook."""
    _check_sizes(path, contract.limits)
    found |= {"format": "excel"}
    folder = TemporaryDirectory(prefix="lastmile-workbook-")
    every = _sheets(path, Path(folder.name), contract.limits)
    if not every:
        raise Unreadable("expected a workbook, found none of the sheets of one. Save it again, or as CSV.")
    sheets = _chosen(every, contract)
    starts = {name: list(islice(_rows(file, contract.format), PREAMBLE + 2)) for name, file in sheets.items()}
    if not any(starts.values()):
        return Reader(found, [], lambda rows: iter(()))
    headings = {
        name: find_heading(map(_names, start[:-1] if len(start) > PREAMBLE + 1 else start), contract)
        for name, start in starts.items()
    }
    fitting = {name: heading for name, heading in headings.items() if heading is not None}
    if not fitting:
        raise refusal([_names(row) for start in starts.values() for row in start], contract)
    sheet, heading = _only(fitting, starts, contract)
    found |= {
        "sheet": sheet,
        "preamble_lines": starts[sheet][heading.position].number - 1 if heading.position >= 0 else 0,
    }
    if others := [name if one.is_visible else f"{name} (hidden)" for name, one in every.items() if name != sheet]:
        found["sheets_left_out"] = ", ".join(others)
    declared = _declared(heading.names, contract)

    def produce(rows: int) -> Iterator[RawBatch]:
        file = Path(folder.name) / sheets[sheet].name
        data = islice(_rows(file, contract.format), heading.position + 1, None)
        while some := list(islice(data, rows)):
            yield _batch(some, heading.names, declared)

    return Reader(found, heading.names, produce)


def _only(
    fitting: Mapping[str, Heading], starts: Mapping[str, Sequence[Row]], contract: Contract
) -> tuple[str, Heading]:
    """The sheet with records, or the first if none has any. Raises Refused where several have."""
    filled = [name for name, heading in fitting.items() if len(starts[name]) > heading.position + 1]
    if len(filled) > 1:
        raise Refused(
            f"dataset {contract.name}: expected one sheet with its columns, found {len(filled)}: {filled}. Send one "
            "workbook for each, or name the sheet to be read in the contract: Format(sheet=...)."
        )
    sheet = next(iter(filled or fitting))
    return sheet, fitting[sheet]


def first_rows(path: Path, limits: Limits, rows: int) -> dict[str, list[list[str]]]:
    """The names that may stand in a header: of each visible sheet so many rows. Raises as `open_excel` does."""
    _check_sizes(path, limits)
    with TemporaryDirectory(prefix="lastmile-workbook-") as folder:
        sheets = _visible(_sheets(path, Path(folder), limits))
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


def _chosen(sheets: Mapping[str, Sheet], contract: Contract) -> dict[str, Path]:
    """The sheet the contract names, hidden or not, or all visible ones."""
    named = contract.format.sheet
    if named is None:
        visible = _visible(sheets)
        if not visible:
            raise Refused(
                f"dataset {contract.name}: expected a visible sheet, found hidden ones only: {list(sheets)}. Show the "
                "sheet, or name it in the contract: Format(sheet=...)."
            )
        return visible
    if named not in sheets:
        raise Refused(
            f"dataset {contract.name}: expected a sheet named {named!r}, found {list(sheets)}. Rename it, or name "
            "another in the contract."
        )
    return {named: sheets[named].file}


def _visible(sheets: Mapping[str, Sheet]) -> dict[str, Path]:
    return {name: sheet.file for name, sheet in sheets.items() if sheet.is_visible}


def _sheets(path: Path, folder: Path, limits: Limits) -> dict[str, Sheet]:
    """Sheets by name, in the workbook's order."""
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
    sheets = orjson.loads((folder / "sheets.json").read_bytes())
    return {name: Sheet(folder / f"{n}.jsonl", is_visible) for n, (name, is_visible) in enumerate(sheets)}


def _rows(file: Path, said: Format) -> Iterator[Row]:
    """The rows, but for those that the contract says to skip."""
    with file.open("rb") as lines:
        for line in lines:
            read = orjson.loads(line)
            (number, *cells), remarks = (read, {}) if isinstance(read, list) else (read["cells"], read["remarks"])
            texts = [cell_text(cell) or None for cell in cells]
            filled = max(position for position, text in enumerate(texts, 1) if text is not None)
            is_comment = said.comment is not None and (texts[0] or "").startswith(said.comment)
            if number > said.skip_lines and not is_comment:
                yield Row(number, texts[:filled], remarks)


def _names(row: Row) -> list[str]:
    return [cell or "" for cell in row.cells]


def _declared(header: Sequence[str], contract: Contract) -> dict[str, Declared]:
    whole = contract.expanded(header)
    columns, _ = fit(contract, header)
    rescues = contract.policy.wrong_type == "rescue"
    return {
        name: Declared(whole.kinds[column], whole.missing(column), rescues and not whole.kinds[column].is_text)
        for column, name in columns.items()
    }


def _batch(rows: Sequence[Row], header: list[str], declared: Mapping[str, Declared]) -> RawBatch:
    """Cells right of the header belong to no column, so a row that has any is broken."""
    good = [row for row in rows if len(row.cells) <= len(header)]
    faults = [fault for row in good if row.remarks for fault in _faults(row, header, declared)]
    frame = pl.DataFrame(
        [row.cells + [None] * (len(header) - len(row.cells)) for row in good], _schema(header), orient="row"
    )
    moments = [name for name, column in declared.items() if column.kind.name == "timestamp"]
    frame = frame.with_columns(_midnight(pl.col(name)) for name in moments)
    broken = [
        BrokenRecord(
            row.number, orjson.dumps(row.cells).decode(), f"expected {len(header)} cells, found {len(row.cells)}"
        )
        for row in rows
        if len(row.cells) > len(header)
    ]
    lines = pl.Series("line", [row.number for row in good], pl.UInt64)
    return RawBatch(frame, lines, raw_rows(frame), broken, faults=faults)


def _midnight(moment: pl.Expr) -> pl.Expr:
    """A date where a date and time is declared: calamine knows midnight no other way."""
    is_day = moment.str.contains(r"^\d{4}-\d\d-\d\d$")
    return pl.when(is_day).then(moment + "T00:00:00").otherwise(moment)


def _faults(row: Row, header: Sequence[str], declared: Mapping[str, Declared]) -> Iterator[CellFault]:
    """Of a row's remarks those that its columns make faults; numbers are written into texts as they are displayed."""
    for place, (rule, text) in ((int(column) - 1, remark) for column, remark in row.remarks.items()):
        if place >= len(header):
            continue
        column = declared.get(header[place])
        if rule == "displayed" and (column is None or column.kind.is_text):
            row.cells[place] = text
        elif column is not None and _is_fault(rule, text, column):
            yield CellFault(row.number, header[place], rule, *(said.format(text) for said in SAID[rule]))


def _is_fault(rule: str, text: str, column: Declared) -> bool:
    if rule == "digits":
        return needs_every_digit(column.kind)
    is_no_value = rule in ("error", "formula") and not column.is_rescued and text not in column.missing
    return is_no_value or rule in ("merged", "day")


def _schema(header: list[str]) -> dict[str, type[pl.DataType]]:
    return dict.fromkeys(header, pl.String)
