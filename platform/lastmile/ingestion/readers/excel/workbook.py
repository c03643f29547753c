"""Writes the rows of every sheet of a workbook as JSON Lines: `workbook.py WORKBOOK FOLDER MEMORY COLUMNS CELL`.

Run as a script, in a process that may die: it takes no more than MEMORY bytes, which also bounds what its XML can do to
it, and imports nothing of lastmile, so that it starts fast. A row of more than COLUMNS cells, or a cell of more than
CELL characters, ends it with `TOO_LARGE` and a message. FOLDER gets `sheets.json` (name and whether it is visible, in
order) and `0.jsonl`, `1.jsonl`... with `[row number, cells...]` per row that has any cell filled; dates in ISO form,
durations as `36:00:00`, empty cells as "".

A row with cells that are not what they seem is `{"cells": [row number, cells...], "remarks": {column: [rule, text]}}`,
columns from 1. Rules: `error` (#N/A), `formula` (never calculated; the cell is then its text), `displayed` (a number
shown with zeros before it), `day` (the number of a day that never was), `digits` (a number over 15 digits), `merged`
(covered by the cell named), `duration` (no fault). `digits` are found in all kinds of workbook, errors, durations and
merged cells also in ods, merged cells also in xls, the others in xlsx and xlsm.
"""

import re
import resource
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree
from zipfile import ZipFile, is_zipfile

import orjson
from python_calamine import CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

WORKBOOK, LINKS, STYLES = "xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/styles.xml"
CONTENT = "content.xml"
ODS_MARKS = re.compile(rb"covered-table-cell|value-type=[\"']error|time-value=")
ISO_DURATION = re.compile(r"(-?)PT(\d+)H(\d+)M(\d+)(?:[.,](\d+))?S")
#: More cells or rows that repeat one are the empty end of a sheet.
MOST_REPEATED = 10_000
#: Exit code of a workbook over its limits.
TOO_LARGE = 3
#: Bytes of rows it may leave on disk, as a multiple of its memory.
MOST_WRITTEN = 2
#: Spreadsheets keep 15 digits of a number; from here on a whole one may have lost some.
SIXTEEN_DIGITS = 10**15
#: Cells that merged areas may cover in a sheet, as far as it is filled.
MOST_COVERED = 1_000_000
#: How far back a cell may begin before the end of a piece of XML that is searched.
OVERLAP = 4_096

#: A value in the XML of a sheet.
VALUE = re.compile(rb"<(?:\w+:)?[vt](?:\s[^>]*)?>[^<]")
#: Rules of remarks whose text is what the cell holds.
FILLED = ("error", "formula", "day", "duration")

#: Rule and text by 1-based row and column.
Remarks = dict[tuple[int, int], tuple[str, str]]
#: What a style makes of a number: the remark on it, or none.
Styles = dict[str, Callable[[float], tuple[str, str] | None]]


def main(path: str, folder: str, memory: str, columns: str, longest: str) -> None:
    if sys.platform == "linux":  # elsewhere the limit is refused or without effect
        resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN * int(memory), MOST_WRITTEN * int(memory)))
    with CalamineWorkbook.from_path(path) as workbook:
        sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        listed = [(sheet.name, sheet.visible == SheetVisibleEnum.Visible) for sheet in sheets]
        Path(folder, "sheets.json").write_bytes(orjson.dumps(listed))
        parts, in_ods = worksheet_parts(path), remarks_in_ods(path)
        for number, (name, _) in enumerate(listed):
            sheet = workbook.get_sheet_by_name(name)
            of_xml = remarks_in(path, parts[name]) if name in parts else in_ods.get(name, {})
            remarks = covered_cells(sheet) | of_xml
            file = Path(folder, f"{number}.jsonl")
            with file.open("wb") as out:
                for row in rows(sheet, remarks):
                    check(name, row if isinstance(row, list) else row["cells"], int(columns), int(longest))
                    out.write(orjson.dumps(row, default=text_of) + b"\n")
            if not file.stat().st_size and name in parts and holds(path, parts[name], [(b">", VALUE)]):
                raise ValueError(f"the XML of sheet {name!r} is damaged: it has values that are in no row")


def rows(sheet: CalamineSheet, remarks: Remarks) -> Iterator[Any]:
    noted: dict[int, dict[int, tuple[str, str]]] = {}
    for (number, column), remark in remarks.items():
        noted.setdefault(number, {})[column] = remark
    filled = [place for place, (rule, _) in remarks.items() if rule in FILLED]
    start = sheet.start[1] + 1 if sheet.start else 1
    left = min([start, *(column for _, column in filled)])  # calamine gives no cells left of the first that is filled
    number = 0
    for number, cells in enumerate(sheet.iter_rows(), 1):
        yield from row([""] * (start - left) + cells, number, left, noted.get(number, {}))
    for below in sorted({row for row, _ in filled if row > number}):
        yield from row([], below, left, noted[below])


def row(cells: list[Any], number: int, left: int, found: dict[int, tuple[str, str]]) -> Iterator[Any]:
    """The row as it is written, unless it is empty; `cells` begin at the column `left`."""
    for column, cell in enumerate(cells, left):
        if type(cell) is float and abs(cell) >= SIXTEEN_DIGITS:
            found[column] = ("digits", f"{Decimal(repr(cell)):.0f}")
    for column, (rule, text) in found.items():
        if rule in FILLED:
            cells += [""] * (column - left + 1 - len(cells))
            cells[column - left] = text
    while cells and cells[-1] == "":
        cells.pop()
    if not cells:
        return
    whole = [number, *cells]
    remarks = {str(column - left + 1): remark for column, remark in found.items() if column >= left}
    yield {"cells": whole, "remarks": remarks} if remarks else whole


def text_of(value: Any) -> str:
    """Of a duration, as `cell_text` writes it."""
    if not isinstance(value, timedelta):
        return str(value)
    seconds, micros = divmod(abs(value) // timedelta(microseconds=1), 10**6)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}" + (f".{micros:06}" if micros else "")
    return f"-{text}" if value < timedelta(0) else text


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


def covered_cells(sheet: CalamineSheet) -> Remarks:
    """Cells that another covers, with its name: all of a merged area but the first."""
    found: Remarks = {}
    covered = 0
    last_row, last_column = sheet.end or (-1, -1)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        rows, columns = range(top, min(bottom, last_row) + 1), range(left, min(right, last_column) + 1)
        covered += len(rows) * len(columns)
        if covered > MOST_COVERED:
            raise ValueError(f"its merged areas cover more than {MOST_COVERED:,} cells")
        name = f"cell {letters(left + 1)}{top + 1}"
        found |= {(row + 1, column + 1): ("merged", name) for row in rows for column in columns}
        found.pop((top + 1, left + 1), None)
    return found


def letters(column: int) -> str:
    """`A` for 1, `AA` for 27."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def worksheet_parts(path: str) -> dict[str, str]:
    """Sheet name to its XML inside an xlsx or xlsm; empty for other kinds of workbook."""
    if not is_zipfile(path):
        return {}
    with ZipFile(path) as archive:
        if not {WORKBOOK, LINKS} <= set(archive.namelist()):
            return {}
        targets = {link.get("Id"): link.get("Target", "") for link in parse(archive, LINKS)}
        sheets = [part for part in parse(archive, WORKBOOK).iter() if tag(part) == "sheet"]
        found = {sheet.get("name", ""): targets.get(relation(sheet), "") for sheet in sheets}
        parts = {
            name: target.lstrip("/") if target.startswith("/") else f"xl/{target}" for name, target in found.items()
        }
        return {name: part for name, part in parts.items() if part in archive.namelist()}


def parse(archive: ZipFile, part: str) -> ElementTree.Element:
    return ElementTree.fromstring(archive.read(part))  # noqa: S314  # memory is bounded


def remarks_in(path: str, part: str) -> Remarks:
    """Of a sheet's XML: what calamine does not tell."""
    with ZipFile(path) as archive:
        is_stale = any(
            tag(found) == "calcPr" and found.get("fullCalcOnLoad") in ("1", "true")
            for found in parse(archive, WORKBOOK)
        )
        styles = styles_in(archive) if STYLES in archive.namelist() else {}
    if not holds(path, part, suspicions(styles, is_stale)):
        return {}
    with ZipFile(path) as archive, archive.open(part) as file:
        return dict(remarks(file, styles, is_stale))


def styles_in(archive: ZipFile) -> Styles:
    """By number, the cell styles under which a number is not what it seems."""
    sheet = parse(archive, STYLES)
    codes = {part.get("numFmtId", ""): part.get("formatCode", "") for part in sheet.iter() if tag(part) == "numFmt"}
    cells = next((part for part in sheet if tag(part) == "cellXfs"), ())
    found: Styles = {}
    for number, style in enumerate(cells):
        code = codes.get(style.get("numFmtId", ""), "")
        if is_padded(code):
            found[str(number)] = partial(padded, code)
        elif is_dated(style.get("numFmtId", ""), code):
            found[str(number)] = no_day
    return found


def is_padded(code: str) -> bool:
    """Whether a number is shown with zeros before it, such as `0000000`, `000-00` or `"HH-"0000`."""
    return PADDED.fullmatch(code) is not None and len(zeros(code)) > 1


#: Zeros, and what is shown as it stands: texts in quotes, escaped characters, blanks and a few signs.
PADDED = re.compile(r'(?:"[^"]*"|\\.|[-+ ()]|0)+')
PIECE = re.compile(r'"([^"]*)"|\\(.)|(.)')


def zeros(code: str) -> list[str]:
    return [piece[3] for piece in PIECE.finditer(code) if piece[3] == "0"]


def padded(code: str, value: float) -> tuple[str, str] | None:
    if value < 0 or value != int(value) or value >= SIXTEEN_DIGITS:
        return None
    places = len(zeros(code))
    digits = f"{int(value):0{places}}"
    heads, shown = digits[: len(digits) - places + 1], iter(digits[len(digits) - places + 1 :])
    text, first = "", True
    for piece in PIECE.finditer(code):
        if piece[3] == "0":
            text += heads if first else next(shown)
            first = False
        else:
            text += piece[1] or piece[2] or piece[3] or ""
    return "displayed", text


def is_dated(number: str, code: str) -> bool:
    """Whether a number is shown as a date: by the numbers that ECMA-376 keeps for them, or the letters of its code."""
    built_in = number.isdecimal() and int(number) in {*range(14, 18), 22, *range(27, 37), *range(50, 59)}
    return built_in or re.search("[yYdD]", re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", code)) is not None


def no_day(value: float) -> tuple[str, str] | None:
    """Below zero, and 29 February 1900, which spreadsheets count."""
    return ("day", f"{value:g}") if value < 0 or 60 <= value < 61 else None


def suspicions(styles: Styles, is_stale: bool) -> list[tuple[bytes, re.Pattern[bytes]]]:
    """What a sheet must hold for its XML to be walked, which takes longer than all the rest: first as plain bytes."""
    no_value = rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
    formula = re.compile(rb"</?(?:\w+:)?f\b" if is_stale else rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f\b[^>]*/>)" + no_value)
    found = [(mark, re.compile(rb"t=" + mark)) for mark in (b'"e"', b"'e'")]
    found += [(mark, formula) for mark in (b"f>", b"<f ", b":f ")]
    for style, remark in styles.items():
        number = rb"[^>]*>\s*<(?:\w+:)?v>\s*(?:-|60[.<])" if remark is no_day else b""
        for mark in (b's="%s"' % style.encode(), b"s='%s'" % style.encode()):
            found.append((mark, re.compile(rb"<(?:\w+:)?c\s[^>]*\b" + mark + number)))
    return found


def holds(path: str, part: str, marks: list[tuple[bytes, re.Pattern[bytes]]]) -> bool:
    """Whether any of the patterns is in the XML."""
    before = b""
    with ZipFile(path) as archive, archive.open(part) as file:
        while chunk := file.read(2**20):
            whole = before + chunk
            if any(plain in whole and pattern.search(whole) for plain, pattern in marks):
                return True
            before = whole[-OVERLAP:]
    return False


def remarks(file: IO[bytes], styles: Styles, is_stale: bool) -> Iterator[tuple[tuple[int, int], tuple[str, str]]]:
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
                if remark := of_cell(part, styles, is_stale):
                    yield (row, column), remark
            case "end", "row":
                data.clear()


def of_cell(cell: ElementTree.Element, styles: Styles, is_stale: bool) -> tuple[str, str] | None:
    """`is_stale` says that values are to be calculated when the workbook is opened: then a 0 is what programs write
    for a formula that they cannot calculate."""
    parts = {tag(child): child.text or "" for child in cell}
    kind, value = cell.get("t", "n"), parts.get("v", "")
    if kind == "e":
        return "error", value
    if "f" in parts and ((not value and kind != "str") or (is_stale and value == "0")):
        return "formula", f"={parts['f']}"
    style = styles.get(cell.get("s", "0"))
    try:
        return style(float(value)) if style is not None and kind == "n" and value else None
    except ValueError:
        return None


def remarks_in_ods(path: str) -> dict[str, Remarks]:
    """By sheet of an OpenDocument spreadsheet, what calamine does not tell: it gives errors as empty or as 0."""
    if not is_zipfile(path):
        return {}
    with ZipFile(path) as archive:
        if CONTENT not in archive.namelist() or not holds(path, CONTENT, [(b"table-cell", ODS_MARKS)]):
            return {}
        found: dict[str, Remarks] = {}
        with archive.open(CONTENT) as file:
            for sheet, places, remark in ods_remarks(file):
                found.setdefault(sheet, {}).update(dict.fromkeys(places, remark))
                if len(found[sheet]) > MOST_COVERED:
                    raise ValueError(f"more than {MOST_COVERED:,} of its cells are merged, errors or durations")
    return found


def ods_remarks(file: IO[bytes]) -> Iterator[tuple[str, list[tuple[int, int]], tuple[str, str]]]:
    """Sheet, places and remark of each cell; one may stand for several, and a row for several rows."""
    sheet, row, column = "", 1, 1
    in_row: list[tuple[range, tuple[str, str]]] = []
    for event, part in ElementTree.iterparse(file, ("start", "end")):  # noqa: S314  # memory is bounded
        match event, tag(part):
            case "start", "table":
                sheet, row = own(part, "name"), 1
            case "start", "table-row":
                column, in_row = 1, []
            case "end", ("table-cell" | "covered-table-cell"):
                columns = int(own(part, "number-columns-repeated") or 1)
                if columns <= MOST_REPEATED and (remark := of_ods_cell(part)):
                    in_row.append((range(column, column + columns), remark))
                column += columns
            case "end", "table-row":
                rows = int(own(part, "number-rows-repeated") or 1)
                same = range(row, row + (rows if rows <= MOST_REPEATED else 1))
                yield from (
                    (sheet, [(at, place) for at in same for place in places], remark) for places, remark in in_row
                )
                row += rows
                part.clear()


def of_ods_cell(cell: ElementTree.Element) -> tuple[str, str] | None:
    if tag(cell) == "covered-table-cell":
        return "merged", "another one"
    if any(name.endswith("}value-type") and value == "error" for name, value in cell.items()):
        return "error", "".join(cell.itertext())
    if duration := ISO_DURATION.fullmatch(own(cell, "time-value")):
        sign, hours, minutes, seconds, fraction = duration.groups(default="")
        behind = fraction.rstrip("0")
        return "duration", f"{sign}{hours:0>2}:{minutes:0>2}:{seconds:0>2}{f'.{behind}' if behind else ''}"
    return None


def own(part: ElementTree.Element, name: str) -> str:
    """An attribute by its name in whatever namespace; empty for none."""
    return next((value for key, value in part.items() if key.rpartition("}")[2] == name), "")


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
