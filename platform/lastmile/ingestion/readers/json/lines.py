"""JSON Lines: one object a line, at constant memory. A line that is no object is a broken record; a blank one is none.

The header is every key of the whole file, so the file is read twice: what only late records have must not be lost.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import orjson
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import BrokenRecord, CellFault, RawBatch, Reader, Refused, Unreadable
from lastmile.ingestion.readers.compression import blocks
from lastmile.ingestion.readers.delimited.encoding import as_utf8, shown
from lastmile.ingestion.readers.json.flat import Lines, Numbers, Template, places_of, read_flat, template_of
from lastmile.ingestion.readers.json.records import (
    Cells,
    Decoder,
    Form,
    NotARecord,
    batch,
    decode_record,
    expect_no_columns,
    form_of,
    keys_of,
    lost_digits,
    plain_record,
)
from lastmile.store import Source

LINE_END = b"\n"
NO_LINES = np.empty(0, np.int64)


class Line(NamedTuple):
    """`place` is that among the lines of its part, from 0 on; `number` is that in the file, from 1 on."""

    place: int
    number: int
    text: bytes


def open_json_lines(path: Source, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Raises Refused where the keys do not fit the contract, Unreadable where no line is an object."""

    def parts() -> Iterator[Lines]:
        text = as_utf8(blocks(path, contract.limits), contract.format.encodings, found)
        return _parts(text, contract.limits.record_bytes)

    limits = contract.limits
    keys = keys_of((keys for lines in parts() for keys in _keys(lines, limits.nesting)), limits.columns)
    found |= {"format": "jsonl"}
    if not keys:
        _expect_no_lines(parts())
        return Reader(found, [], lambda rows: iter(()))
    form = form_of(keys, contract)
    _expect_no_columns(parts(), contract)
    return Reader(found, form.header, lambda rows: _batches(parts(), form, limits.nesting, found, rows))


def _parts(text: Iterable[bytes], longest: int) -> Iterator[Lines]:
    """Lines that are not empty, a block's worth at a time. Raises Refused for an endless one."""
    number, rest = 1, b""
    for block in text:
        size = block.rfind(b"\n") + 1
        whole, rest = (rest + block[:size], block[size:]) if size else (b"", rest + block)
        if len(rest) >= longest:
            raise Refused(
                f"line {number + whole.count(LINE_END)}: expected at most {longest:,} bytes, found more. Write one "
                "record a line, or raise limits.cell_characters in the contract if this is meant."
            )
        yield Lines.of(whole, number)
        number += whole.count(LINE_END)
    yield Lines.of(rest, number)


def _template(lines: Lines) -> Template | None:
    """What most of the lines look like, if they are flat objects: the first of them."""
    is_text = bool(len(lines.start)) and _is_utf8(lines.data)
    return template_of(lines.text(0)) if is_text else None


def _is_utf8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(str(data, "utf-8"))
    except UnicodeDecodeError:
        return False


def _others(lines: Lines, flat: Numbers) -> Iterator[Line]:
    """Those that are not `flat`, without byte order marks, which stand inside files that were joined; no blank ones."""
    is_other = np.ones(len(lines.start), np.bool_)
    is_other[flat] = False
    for place in np.flatnonzero(is_other).tolist():
        text = lines.text(place).removeprefix(BOM_UTF8)
        if text.strip():
            yield Line(place, int(lines.number[place]), text)


def _keys(lines: Lines, deepest: int) -> Iterator[Iterable[str]]:
    """The keys of all lines, of lines alike once."""
    template = _template(lines)
    flat = places_of(lines, template)[0] if template else NO_LINES
    first = flat[0] if len(flat) else len(lines.start)
    for line in _others(lines, flat):
        if template and line.place > first:
            yield template.keys
            template = None
        yield _keys_of_line(line.text, deepest)
    if template and len(flat):
        yield template.keys


def _keys_of_line(line: bytes, deepest: int) -> Iterable[str]:
    try:
        value = orjson.loads(line)
        return value if isinstance(value, dict) else ()
    except orjson.JSONDecodeError:
        pass
    try:
        return _record(Decoder(), line, "utf-8", deepest)
    except NotARecord:
        return ()


def _record(decoder: Decoder, line: bytes, encoding: str | int, deepest: int) -> Cells:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise NotARecord(f"expected text in {encoding}, found bytes that are none, here written \\xNN") from None
    return decode_record(decoder, text, deepest)


def _first(parts: Iterator[Lines]) -> Line | None:
    return next((line for lines in parts for line in _others(lines, NO_LINES)), None)


def _expect_no_lines(parts: Iterator[Lines]) -> None:
    if first := _first(parts):
        start = f"line {first.number} starts {first.text[:60]!r}"
        raise Unreadable(f"expected one JSON object a line, found none in any line; {start}.")


def _expect_no_columns(parts: Iterator[Lines], contract: Contract) -> None:
    first = _first(parts)
    try:
        expect_no_columns(orjson.loads(first.text if first else b""), contract)
    except orjson.JSONDecodeError:
        return


def _batches(
    parts: Iterator[Lines], form: Form, deepest: int, found: dict[str, str | int], rows: int
) -> Iterator[RawBatch]:
    for lines in parts:
        for first in range(0, len(lines.start), rows):
            some = lines if len(lines.start) <= rows else lines.part(first, first + rows)
            batch = _batch(some, form, deepest, found["encoding"])
            if batch.records:
                yield batch


def _batch(lines: Lines, form: Form, deepest: int, encoding: str | int) -> RawBatch:
    template = _template(lines)
    flat, frame = read_flat(lines, template) if template else (NO_LINES, pl.DataFrame())
    places, others = _read_closely(_others(lines, flat), form, deepest, encoding)
    frames = [_named(frame, form)] if len(flat) else []
    frames += [others.frame] if len(places) or not len(flat) else []
    places = np.append(flat, places)
    order = np.argsort(places, kind="stable")
    places = places[order]

    def raw(positions: Sequence[int]) -> list[str]:
        return [shown(lines.text(place).removeprefix(BOM_UTF8), encoding) for place in places[list(positions)]]

    return RawBatch(
        pl.concat(frames)[order] if len(frames) > 1 else frames[0],
        pl.Series("line", lines.number[places], pl.UInt64),
        raw,
        others.broken,
        nul_free=b"\\u0000" not in lines.data,
        faults=others.faults,
    )


def _named(frame: pl.DataFrame, form: Form) -> pl.DataFrame:
    """Values by key under the names of their columns; null in those that no line of these has."""
    return frame.select(
        (pl.col(key) if key in frame.columns else pl.lit(None, pl.String)).alias(name)
        for key, name in zip(form.keys, form.header, strict=True)
    )


def _read_closely(lines: Iterable[Line], form: Form, deepest: int, encoding: str | int) -> tuple[Numbers, RawBatch]:
    """The records of lines looked at one by one, with their places."""
    decoder = Decoder()
    good: list[tuple[int, Cells]] = []
    places: list[int] = []
    broken: list[BrokenRecord] = []
    faults: list[CellFault] = []
    for place, number, text in lines:
        try:
            record = plain_record(text)
            if record is None:
                record = _record(decoder, text, encoding, deepest)
                faults += lost_digits(number, record, form.texts)
            good.append((number, record))
            places.append(place)
        except NotARecord as fault:
            broken.append(BrokenRecord(number, shown(text, encoding), str(fault)))
    return np.array(places, np.int64), batch(form, good, broken, lambda position: "", faults)
