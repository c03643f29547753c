"""JSON Lines: one object a line, at constant memory. A line that is no object is a broken record; a blank one is none.

The header is every key of the whole file, so the file is read twice: what only late records have must not be lost.
"""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import BrokenRecord, CellFault, RawBatch, Reader, Refused, Unreadable
from lastmile.ingestion.readers.compression import blocks
from lastmile.ingestion.readers.delimited.encoding import as_utf8, shown
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


class Line(NamedTuple):
    number: int
    text: bytes


def open_json_lines(path: Path, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Raises Refused where the keys do not fit the contract, Unreadable where no line is an object."""

    def lines() -> Iterator[list[Line]]:
        text = as_utf8(blocks(path, contract.limits), contract.format.encodings, found)
        return _lines(text, contract.limits.record_bytes)

    limits = contract.limits
    keys = keys_of((_keys(line.text, limits.nesting) for some in lines() for line in some), limits.columns)
    found |= {"format": "jsonl"}
    if not keys:
        _expect_no_lines(lines())
        return Reader(found, [], lambda rows: iter(()))
    form = form_of(keys, contract)
    _expect_no_columns(lines(), contract)
    return Reader(found, form.header, lambda rows: _batches(lines(), form, limits.nesting, found, rows))


def _lines(text: Iterable[bytes], longest: int) -> Iterator[list[Line]]:
    """Lines that are not blank, with 1-based numbers, a block's worth at a time. Raises Refused for an endless one."""
    number, rest = 1, b""
    for block in text:
        *whole, rest = (rest + block).split(b"\n")
        if len(rest) >= longest:
            raise Refused(
                f"line {number + len(whole)}: expected at most {longest:,} bytes, found more. Write one record a line, "
                "or raise limits.cell_characters in the contract if this is meant."
            )
        yield _numbered(number, whole)
        number += len(whole)
    yield _numbered(number, [rest])


def _numbered(first: int, lines: Iterable[bytes]) -> list[Line]:
    """Without byte order marks, which stand inside files that were joined."""
    unmarked = ((number, line.rstrip(b"\r").removeprefix(BOM_UTF8)) for number, line in enumerate(lines, first))
    return [Line(number, line) for number, line in unmarked if line.strip()]


def _keys(line: bytes, deepest: int) -> Iterable[str]:
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


def _expect_no_lines(blocks_of_lines: Iterator[list[Line]]) -> None:
    first = next((line for lines in blocks_of_lines for line in lines), None)
    if first is not None:
        start = f"line {first.number} starts {first.text[:60]!r}"
        raise Unreadable(f"expected one JSON object a line, found none in any line; {start}.")


def _expect_no_columns(blocks_of_lines: Iterator[list[Line]], contract: Contract) -> None:
    first = next(line for lines in blocks_of_lines for line in lines)
    try:
        expect_no_columns(orjson.loads(first.text), contract)
    except orjson.JSONDecodeError:
        return


def _batches(
    lines: Iterator[list[Line]], form: Form, deepest: int, found: dict[str, str | int], rows: int
) -> Iterator[RawBatch]:
    for some in lines:
        for first in range(0, len(some), rows):
            yield _batch(some[first : first + rows], form, deepest, found["encoding"])


def _batch(lines: list[Line], form: Form, deepest: int, encoding: str | int) -> RawBatch:
    decoder = Decoder()
    good: list[tuple[int, Cells]] = []
    sources: list[bytes] = []
    broken: list[BrokenRecord] = []
    faults: list[CellFault] = []
    for number, text in lines:
        try:
            record = plain_record(text)
            if record is None:
                record = _record(decoder, text, encoding, deepest)
                faults += lost_digits(number, record, form.texts)
            good.append((number, record))
            sources.append(text)
        except NotARecord as fault:
            broken.append(BrokenRecord(number, shown(text, encoding), str(fault)))
    return batch(form, good, broken, lambda position: shown(sources[position], encoding), faults)
