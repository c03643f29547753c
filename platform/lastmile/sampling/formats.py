"""Tables as files: the plain kind, and the dialects and formats that people send instead."""

import gzip
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.sax.saxutils import escape

import polars as pl


@dataclass(frozen=True)
class Format:
    """How a table is written. Rows can be torn only where it is text with separators."""

    suffix: str
    kind: Literal["csv", "jsonl", "parquet", "xlsx"] = "csv"
    separator: str = ","
    encoding: str = "utf-8"

    @property
    def has_separators(self) -> bool:
        return self.kind == "csv"


PLAIN = Format(".csv")
OTHERS = (
    Format(".csv", separator=";"),
    Format(".csv", encoding="cp1252"),
    Format(".csv.gz"),
    Format(".parquet", "parquet"),
    Format(".csv", separator="\t", encoding="utf-8-sig"),
    Format(".jsonl", "jsonl"),
    Format(".xlsx", "xlsx"),
)


def write(frame: pl.DataFrame, ragged: Sequence[int], path: Path, form: Format, append: bool = False) -> None:
    """Write a table, or append to it without a header where it is plain text; the `ragged` rows are torn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if form.kind == "parquet":
        frame.write_parquet(path)
    elif form.kind == "jsonl":
        frame.write_ndjson(path)
    elif form.kind == "xlsx":
        _write_workbook(frame, path)
    else:
        content = _csv(frame, ragged, form.separator, header=not append).encode(form.encoding)
        with path.open("ab" if append else "wb") as file:
            # No time inside, so that the same seed gives the same bytes.
            file.write(gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content)


def _csv(frame: pl.DataFrame, ragged: Sequence[int], separator: str, header: bool) -> str:
    text = frame.write_csv(separator=separator, include_header=header)
    if not len(ragged):
        return text
    lines = text.split("\n")
    for number, row in enumerate(ragged):
        place = int(row) + header
        lines[place] = _torn(lines[place], separator, short=number % 2 == 1)
    return "\n".join(lines)


def _torn(line: str, separator: str, short: bool) -> str:
    """Too few fields, as of a broken transfer, or too many, as of a note typed next to the table."""
    return line.split(separator)[0] if short else f"{line}{separator}see{separator}notebook"


_SCHEMAS = "http://schemas.openxmlformats.org"
_TYPE = "application/vnd.openxmlformats"
_LINK = f"{_SCHEMAS}/officeDocument/2006/relationships"
_LINKS = f'<Relationships xmlns="{_SCHEMAS}/package/2006/relationships">{{}}</Relationships>'
#: The smallest workbook that ECMA-376 allows, but for its one sheet.
WORKBOOK = {
    "[Content_Types].xml": f'<Types xmlns="{_SCHEMAS}/package/2006/content-types">'
    f'<Default Extension="rels" ContentType="{_TYPE}-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}-officedocument.spreadsheetml.sheet.main+xml"/>'
    f'<Override PartName="/xl/sheet1.xml" ContentType="{_TYPE}-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": _LINKS.format(f'<Relationship Id="rId1" Type="{_LINK}/officeDocument" Target="xl/workbook.xml"/>'),
    "xl/workbook.xml": f'<workbook xmlns="{_SCHEMAS}/spreadsheetml/2006/main" xmlns:r="{_LINK}">'
    '<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": _LINKS.format(
        f'<Relationship Id="rId1" Type="{_LINK}/worksheet" Target="sheet1.xml"/>'
    ),
}


def _write_workbook(frame: pl.DataFrame, path: Path) -> None:
    """One sheet, texts in the cells themselves."""
    rows = [frame.columns, *frame.iter_rows()]
    cells = "".join(f'<row r="{number}">{"".join(map(_cell, row))}</row>' for number, row in enumerate(rows, 1))
    sheet = f'<worksheet xmlns="{_SCHEMAS}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>'
    with zipfile.ZipFile(path, "w") as book:
        for name, text in {**WORKBOOK, "xl/sheet1.xml": sheet}.items():
            # An entry made by hand has a fixed time, so that the same seed gives the same bytes.
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            book.writestr(entry, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{text}')


def _cell(value: object) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"
