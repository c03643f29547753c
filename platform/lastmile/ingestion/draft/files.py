"""Files as sources of a draft: names are found without a contract, records are read under a contract of the names."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl

from lastmile.contracts import Contract, Format, Limits, Partition, column
from lastmile.contracts.headers import distinguished
from lastmile.contracts.names import normal_name
from lastmile.errors import UserError
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.draft import heading
from lastmile.ingestion.draft.source import Form, Source
from lastmile.ingestion.readers import Reader, open_drop
from lastmile.ingestion.readers.archive import ZIP
from lastmile.ingestion.readers.compression import blocks
from lastmile.ingestion.readers.delimited.dialect import Sample
from lastmile.ingestion.readers.delimited.encoding import as_utf8, without_c1
from lastmile.ingestion.readers.excel.reader import first_rows
from lastmile.store.landing import is_unfinished

#: Tried where text is neither UTF-8 nor marked, the one that is assumed first; each must be plausible.
ENCODINGS = ("cp1252", "shift_jis", "gb18030", "cp1251")
PARQUET, WORKBOOK = (b"PAR1", b"PARE"), (*ZIP, b"\xd0\xcf\x11\xe0")
LIMITS = Limits()
_Names = tuple[list[str], Form]


def open_file(path: Path) -> Source:
    """Raises UserError, naming the file, where no header can be found or the file cannot be read."""
    try:
        names, form = _names(path)
        if not names:
            raise UserError(f"{path}: expected a table to draft from, found no records. Give a file with some rows.")
        reader = open_drop(path, path.name, of_names(names, form))
    except (Refused, OSError) as error:
        raise UserError(f"{path}: {error}") from None
    repeated = {name for name, times in Counter(names).items() if times > 1}
    made_up = {name for name in distinguished(names) if name not in names}
    known = [name for name in distinct(reader.header) if name not in made_up | repeated]
    left_out = [name for name in reader.header if name not in known]
    return Source(str(path), known, partial(_reopen, path), form, left_out)


def files_in(paths: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders, without those that would be no drops. Raises UserError where none is."""
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise UserError(f"no file or folder {path}")
        inside = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
        below = path if path.is_dir() else path.parent
        found |= dict.fromkeys(file for file in inside if not is_unfinished(file.relative_to(below).as_posix()))
    if not found:
        raise UserError(f"no files in {', '.join(map(str, paths))}; name files to draft from, or a folder with some")
    return list(found)


def of_names(names: Sequence[str], form: Form) -> Contract:
    """A contract under which whatever has these names is read as text. Raises Refused where none can be declared."""
    known = distinct(names)
    if not known:
        raise Refused(f"expected columns with names, found {list(names)[:20]}. Name them in the first line.")
    declared = names if form.headerless else known
    columns = {
        name if form.headerless else f"draft__{number}": column(pl.String, "", aliases=(name,))
        for number, name in enumerate(declared, 1)
    }
    encodings = (form.encoding,) if form.encoding else ENCODINGS[:1]
    return Contract(
        name="draft",
        schema=pa.DataFrameSchema(columns),
        description="",
        owner="",
        partition=Partition("year", date(2000, 1, 1)),
        format=Format(encodings=encodings, headerless=form.headerless, sheet=form.sheet),
    )


def distinct(names: Sequence[str]) -> list[str]:
    """Those of the names that a contract can declare: it knows no case or punctuation, nor names made up for a file.

    Values under the others are kept as those of unknown columns.
    """
    unique = distinguished(names)
    times = Counter(map(normal_name, [*names, *(name for name in unique if name not in names)]))
    return [name for name in unique if normal_name(name) and times[normal_name(name)] == 1 and name in names]


def _reopen(path: Path, contract: Contract) -> Reader:
    return open_drop(path, path.name, contract)


def _names(path: Path) -> _Names:
    start = next(blocks(path, LIMITS), b"")
    if start.startswith(PARQUET):
        return _names_of_parquet(path)
    if start.startswith(WORKBOOK):
        return _names_of_workbook(path)
    encoding = _encoding(path)
    text = next(_text(path, encoding), b"").lstrip()
    if text.startswith((b"{", b"[")) and (keys := _keys(path, encoding)):
        return keys, Form(encoding=_stated(encoding))
    return _names_of_text(path, encoding)


def _text(path: Path, encoding: str) -> Iterator[bytes]:
    return without_c1(as_utf8(blocks(path, LIMITS), (encoding,), {}), {})


def _encoding(path: Path) -> str:
    """The fallback in which all of the file is text. Raises Unreadable where there is none."""
    for encoding in ENCODINGS:
        with suppress(Refused):
            for _ in _text(path, encoding):
                pass
            return encoding
    raise Unreadable(
        f"expected text in utf-8 or one of {', '.join(ENCODINGS)}, found bytes that are in none. Save it as UTF-8."
    )


def _stated(encoding: str) -> str | None:
    return None if encoding == ENCODINGS[0] else encoding


def _names_of_text(path: Path, encoding: str) -> _Names:
    stream = _text(path, encoding)
    sample = Sample(next(stream, b""), whole=next(stream, None) is None, columns=LIMITS.columns)
    found = heading.of_text(sample)
    return (found.names if found else []), Form(bool(found and found.headerless), _stated(encoding))


def _names_of_workbook(path: Path) -> _Names:
    """Of the sheet that looks most like a table, the first of equals."""
    sheets = first_rows(path, LIMITS, heading.LOOKED_AT)
    found = {name: heading.of_rows(_padded(rows)) for name, rows in sheets.items()}
    headings = {name: one for name, one in found.items() if one}
    if not headings:
        return [], Form()
    sheet = max(headings, key=lambda name: len(sheets[name]) > 1)
    best = headings[sheet]
    return best.names, Form(best.headerless, sheet=sheet if len(sheets) > 1 else None)


def _padded(rows: Sequence[list[str]]) -> Iterator[list[str]]:
    """Rows end with their last filled cell; those at least half as wide as most count as rows of the table."""
    width = max(Counter(map(len, rows)), key=Counter(map(len, rows)).__getitem__, default=0)
    for row in rows:
        yield row + [""] * (width - len(row)) if 2 * len(row) >= width > 1 else row


def _names_of_parquet(path: Path) -> _Names:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names), Form()
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"expected a Parquet file that is whole and not encrypted: {error}") from None


def _keys(path: Path, encoding: str) -> list[str]:
    """The keys of the records of JSON; none where it is no JSON of records."""
    parts, size = [], 0
    for block in _text(path, encoding):
        size += len(block)
        if size > LIMITS.document_bytes:
            return _keys_of_lines(path, encoding)
        parts.append(block)
    try:
        return _distinct(_records(json.loads(b"".join(parts))))
    except (ValueError, RecursionError):
        return _keys_of_lines(path, encoding)


def _records(document: Any) -> list[Any]:
    """As the readers see a document: an array, an object with one array of objects, or one record."""
    if isinstance(document, list):
        return document
    arrays = [value for value in document.values() if isinstance(value, list) and _distinct(value)]
    return arrays[0] if len(arrays) == 1 else [document]


def _keys_of_lines(path: Path, encoding: str) -> list[str]:
    def lines() -> Iterator[Any]:
        rest = b""
        for block in _text(path, encoding):
            *whole, rest = (rest + block).split(b"\n")
            yield from map(_value, whole)
        yield _value(rest)

    return _distinct(lines())


def _value(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _distinct(records: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(key for record in records if isinstance(record, dict) for key in record))
