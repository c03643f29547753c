"""Writes the rows of every sheet of a workbook as JSON Lines: `workbook.py WORKBOOK FOLDER MEMORY COLUMNS CELL`.

Run as a script, in a process that may die: it takes no more than MEMORY bytes, which also bounds what its XML can do to
it, and imports nothing of lastmile, so that it starts fast. A row of more than COLUMNS cells, or a cell of more than
CELL characters, ends it with `TOO_LARGE` and a message. FOLDER gets `sheets.json` (names in order) and `0.jsonl`,
`1.jsonl`... with `[row number, cells...]` per row that has any cell filled; dates in ISO form, empty cells as "".
"""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree
from zipfile import ZipFile, is_zipfile

import orjson
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum

WORKBOOK, WORKSHEETS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
#: Exit code of a workbook over its limits.
TOO_LARGE = 3
#: Bytes of rows it may leave on disk, as a multiple of its memory.
MOST_WRITTEN = 2


def main(path: str, folder: str, memory: str, columns: str, longest: str) -> None:
    if sys.platform == "linux":  # elsewhere the limit is refused or without effect
        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN * int(memory), MOST_WRITTEN * int(memory)))
    with CalamineWorkbook.from_path(path) as workbook:
        names = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        Path(folder, "sheets.json").write_bytes(orjson.dumps(names))
        parts = worksheet_parts(path)
        for number, name in enumerate(names):
            errors = error_cells(path, parts[name]) if name in parts else {}
            with Path(folder, f"{number}.jsonl").open("wb") as out:
                for row in rows(workbook.get_sheet_by_name(name), errors):
                    check(name, row, int(columns), int(longest))
                    out.write(orjson.dumps(row, default=str) + b"\n")


def rows(sheet: CalamineSheet, errors: dict[tuple[int, int], str]) -> Iterator[list[Any]]:
    first_column = sheet.start[1] if sheet.start else 0
    for number, cells in enumerate(sheet.iter_rows(), 1):
        filled = [
            errors.get((number, column), cell) if cell == "" else cell
            for column, cell in enumerate(cells, first_column + 1)
        ]
        while filled and filled[-1] == "":
            filled.pop()
        if filled:
            yield [number, *filled]


def check(sheet: str, row: list[Any], columns: int, longest: int) -> None:
    """Ends the process for a row over the limits, with a message that goes on `in the contract if this is meant.`"""
    place = f"sheet {sheet!r}, row {row[0]}"
    if len(row) - 1 > columns:
        end(f"{place}: expected at most {columns:,} columns, found {len(row) - 1:,}. Raise limits.columns")
    for column, cell in enumerate(row[1:], 1):
        if isinstance(cell, str) and len(cell) > longest:
            found = f"expected cells of at most {longest:,} characters, found {len(cell):,}"
            end(f"{place}, column {column}: {found}. Raise limits.cell_characters")


def end(message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(TOO_LARGE)


def worksheet_parts(path: str) -> dict[str, str]:
    """Sheet name to its XML inside an xlsx or xlsm; empty for other kinds of workbook."""
    if not is_zipfile(path):
        return {}
    with ZipFile(path) as archive:
        if not {WORKBOOK, WORKSHEETS} <= set(archive.namelist()):
            return {}
        targets = {link.get("Id"): link.get("Target", "") for link in parse(archive, WORKSHEETS)}
        sheets = [part for part in parse(archive, WORKBOOK).iter() if tag(part) == "sheet"]
        found = {sheet.get("name", ""): targets.get(relation(sheet), "") for sheet in sheets}
        parts = {
            name: target.lstrip("/") if target.startswith("/") else f"xl/{target}" for name, target in found.items()
        }
        return {name: part for name, part in parts.items() if part in archive.namelist()}


def parse(archive: ZipFile, part: str) -> ElementTree.Element:
    return ElementTree.fromstring(archive.read(part))  # noqa: S314  # memory is bounded


def error_cells(path: str, part: str) -> dict[tuple[int, int], str]:
    """Text by 1-based row and column of the cells that hold errors, which calamine gives as empty."""
    with ZipFile(path) as archive:
        with archive.open(part) as file:
            if not holds_errors(file):
                return {}
        with archive.open(part) as file:
            return dict(errors(file))


def holds_errors(file: IO[bytes]) -> bool:
    """A quick look, since few sheets do: walking the XML takes longer than all the rest."""
    before = b""
    while chunk := file.read(2**20):
        if any(mark in before + chunk for mark in (b't="e"', b"t='e'")):
            return True
        before = chunk[-5:]
    return False


def errors(file: IO[bytes]) -> Iterator[tuple[tuple[int, int], str]]:
    """References of rows and cells may be left out; then each is one more than the last."""
    row = column = 0
    data = ElementTree.Element("none")
    for event, part in ElementTree.iterparse(file, ("start", "end")):  # noqa: S314  # memory is bounded
        match event, tag(part):
            case "start", "sheetData":
                data = part
            case "start", "row":
                row, column = int(part.get("r") or row + 1), 0
            case "end", "c":
                column = column_number(part.get("r")) or column + 1
                if part.get("t") == "e":
                    yield (row, column), next((child.text or "" for child in part if tag(child) == "v"), "")
            case "end", "row":
                data.clear()


def column_number(reference: str | None) -> int:
    """1 for `A7`, 27 for `AA7`; 0 for none."""
    number = 0
    for letter in (reference or "").rstrip("0123456789"):
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number


def tag(part: ElementTree.Element) -> str:
    return part.tag.rpartition("}")[2]


def relation(sheet: ElementTree.Element) -> str:
    return next((value for name, value in sheet.items() if name.endswith("}id")), "")


if __name__ == "__main__":
    main(*sys.argv[1:])
