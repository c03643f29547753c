"""Writes the smallest xlsx files that calamine reads, so that a test can say what is in them, down to the XML."""

import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from html import escape
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  # spreadsheets know no zones
#: Cell styles: 0 plain, 1 a day, 2 a day and time; from 3 on those of `FORMATS`.
FORMATS = ("0000000", "[h]:mm:ss", '"HH-"000', "000-00", "0.00%", "hh:mm:ss", '#,##0.00 "€"', "# ?/?", "yyyy-mm-dd")
CODES = "".join(
    f'<numFmt numFmtId="{number}" formatCode="{escape(code)}"/>' for number, code in enumerate(FORMATS, 164)
)
STYLES = f"""<styleSheet xmlns="{MAIN}"><numFmts>{CODES}</numFmts><cellXfs>
<xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="22"/>
{"".join(f'<xf numFmtId="{164 + number}"/>' for number in range(len(FORMATS)))}</cellXfs></styleSheet>"""


class Shown(NamedTuple):
    """A number under one of `FORMATS`."""

    number: float
    form: str


class Formula(NamedTuple):
    """A formula, and its value in XML as it was last calculated."""

    text: str
    value: str = ""


Cell = str | float | bool | date | None | bytes | Shown | Formula


def workbook(sheets: Mapping[str, Sequence[Sequence[Cell]]], compression: int = ZIP_DEFLATED, **more: Any) -> bytes:
    """Bytes of an xlsx with these rows per sheet; a cell of bytes is an error such as b"#N/A"."""
    return workbook_of_xml({name: sheet_xml(rows) for name, rows in sheets.items()}, compression, **more)


def workbook_of_xml(
    sheets: Mapping[str, str],
    compression: int = ZIP_DEFLATED,
    hidden: Mapping[str, str] | None = None,
    properties: str = "",
) -> bytes:
    """`hidden` gives the state of sheets that are not visible, `properties` more XML before the sheets."""
    states = {name: f'state="{state}" ' for name, state in (hidden or {}).items()}
    numbered = list(enumerate(sheets, 1))
    names = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" {states.get(name, "")}r:id="r{n}"/>' for n, name in numbered
    )
    links = "".join(
        f'<Relationship Id="r{n}" Type="{LINKS}/worksheet" Target="worksheets/s{n}.xml"/>' for n, _ in numbered
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
        f'Type="{LINKS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{LINKS}">{properties}<sheets>{names}</sheets>'
        "</workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{links}'
        f'<Relationship Id="s" Type="{LINKS}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
    }
    parts |= {f"xl/worksheets/s{n}.xml": sheets[name] for n, name in numbered}
    out = io.BytesIO()
    with ZipFile(out, "w", compression) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def sheet_xml(rows: Sequence[Sequence[Cell]], dimension: str = "A1", merged: Sequence[str] = ()) -> str:
    """The stated dimension is a lie: real ones often are."""
    areas = "".join(f'<mergeCell ref="{area}"/>' for area in merged)
    areas = f"<mergeCells>{areas}</mergeCells>" if merged else ""
    body = "".join(
        f'<row r="{number}">{"".join(cell_xml(cell, column, number) for column, cell in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
    )
    return f'<worksheet xmlns="{MAIN}"><dimension ref="{dimension}"/><sheetData>{body}</sheetData>{areas}</worksheet>'


def letters(column: int) -> str:
    """A for the first column, which is 0, AA for the one after Z."""
    before, last = divmod(column, 26)
    return (letters(before - 1) if before else "") + chr(ord("A") + last)


def cell_xml(cell: Cell, column: int, row: int) -> str:
    place = f'r="{letters(column)}{row}"'
    match cell:
        case None:
            return ""
        case Shown(number, form):
            return f'<c {place} s="{3 + FORMATS.index(form)}"><v>{number}</v></c>'
        case Formula(text, value):
            return f"<c {place}><f>{escape(text)}</f>{value}</c>"
        case bytes():
            return f'<c {place} t="e"><v>{escape(cell.decode())}</v></c>'
        case bool():
            return f'<c {place} t="b"><v>{int(cell)}</v></c>'
        case str():
            return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'
        case datetime():
            return f'<c {place} s="2"><v>{(cell - EPOCH).total_seconds() / 86400}</v></c>'
        case date():
            return f'<c {place} s="1"><v>{(cell - EPOCH.date()).days}</v></c>'
        case _:
            return f"<c {place}><v>{cell}</v></c>"


OPEN = "urn:oasis:names:tc:opendocument:xmlns"
NAMES = {name: f"{OPEN}:{name}:1.0" for name in ("office", "table", "text")} | {"calcext": "urn:calcext"}


def open_document(cells: str) -> bytes:
    """Bytes of an ods with one sheet of this XML."""
    names = " ".join(f'xmlns:{name}="{url}"' for name, url in NAMES.items())
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{OPEN}:manifest:1.0"/>')
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="V">{cells}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return out.getvalue()


def open_row(*cells: str, repeated: int = 1) -> str:
    """A row of texts; one that begins with < is XML of a cell."""
    text = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    inside = "".join(cell if cell.startswith("<") else text.format(cell) for cell in cells)
    return f'<table:table-row table:number-rows-repeated="{repeated}">{inside}</table:table-row>'
