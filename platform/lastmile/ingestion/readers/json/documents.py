"""JSON documents of reasonable size: an array of objects, an object with one such array, or an object that is a record.

A document is one value, so a fault of syntax anywhere makes all of it unreadable; what is wrong with one record alone
(a key twice, NaN, no object) breaks that record. Lines are 1-based positions in the array.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import BrokenRecord, CellFault, RawBatch, Reader, Refused, Unreadable
from lastmile.ingestion.readers.compression import blocks
from lastmile.ingestion.readers.delimited.encoding import as_utf8
from lastmile.ingestion.readers.header import SHOWN_NAMES, fits
from lastmile.ingestion.readers.json.records import (
    WHITESPACE,
    Cells,
    Decoder,
    Form,
    NotARecord,
    batch,
    cells,
    expect_no_columns,
    form_of,
    is_too_deep,
    keys_of,
    lost_digits,
)
from lastmile.store import Source

_BLANK = re.compile(f"[{WHITESPACE}]*+")


class Member(NamedTuple):
    """A value in an array or object: its key (empty in an array), its place in the text, itself, and its fault."""

    key: str
    start: int
    end: int
    value: Any
    fault: str | None


@dataclass
class Cursor:
    """Walks JSON value by value, so that each keeps its place. Raises json.JSONDecodeError where it is none."""

    text: str
    at: int = 0
    _decoder: Decoder = field(default_factory=Decoder, repr=False)

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        rest = _BLANK.match(self.text, self.at)
        self.at = rest.end() if rest else self.at
        return self.text[self.at : self.at + 1]

    def take(self, expected: str) -> str:
        found = self.peek()
        if not found or found not in expected:
            raise json.JSONDecodeError(f"expected {' or '.join(expected)}", self.text, self.at)
        self.at += 1
        return found

    def value(self, key: str = "") -> Member:
        self.peek()
        start = self.at
        value, self.at, fault = self._decoder.value(self.text, start)
        return Member(key, start, self.at, value, fault)

    def members(self) -> Iterator[Member]:
        """Of the array or object that starts here; when they are exhausted, `at` is behind it."""
        closing = {"[": "]", "{": "}"}[self.take("[{")]
        if self.peek() == closing:
            self.take(closing)
            return
        while True:
            yield self.value(self._key() if closing == "}" else "")
            if self.take("," + closing) == closing:
                return

    def _key(self) -> str:
        if self.peek() != '"':
            raise json.JSONDecodeError("expected a key in quotes", self.text, self.at)
        key = str(self.value().value)
        self.take(":")
        return key


def open_json_document(path: Source, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Raises Unreadable where it is no JSON, Refused where it is too large or deep, or its records do not fit."""
    text = _text(path, contract, found)
    found |= {"format": "json"}
    starts: list[int] = []
    try:
        keys = keys_of(_noted(_records(text, contract), starts, contract.limits.record_bytes), contract.limits.columns)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"no JSON: {error.msg} at line {error.lineno}, column {error.colno}. Write it again."
        ) from None
    if starts and not keys:
        raise Unreadable(
            "expected an array of objects, found no object in it. Write each record as an object with named values."
        )
    form = form_of(keys, contract)
    return Reader(found, form.header, lambda rows: _batches(text, starts, form, rows))


def _text(path: Source, contract: Contract, found: dict[str, str | int]) -> str:
    parts, size, limits = [], 0, contract.limits
    for block in as_utf8(blocks(path, limits), contract.format.encodings, found):
        parts.append(block)
        size += len(block)
        if size > limits.document_bytes:
            raise Refused(
                f"expected a JSON document of at most {limits.document_bytes:,} bytes, found more. Write it as JSON "
                "Lines, or raise limits.document_bytes in the contract if this is meant: it takes ten times as much "
                "memory."
            )
    try:
        text = b"".join(parts).decode()
    except UnicodeDecodeError as error:
        raise Unreadable(f"expected {found['encoding']} text, found bytes that are none at {error.start:,}.") from None
    if is_too_deep(text, limits.nesting):
        raise Refused(
            f"expected objects and arrays at most {limits.nesting} deep, found deeper ones. Write one record per "
            "object, or raise limits.nesting in the contract if this is meant."
        )
    return text


def _records(text: str, contract: Contract) -> Iterator[Member]:
    """The members of the array the document is or holds, or the one record it is; each with its place."""
    cursor = Cursor(text)
    if not cursor.peek():
        return
    if cursor.peek() == "[":
        yield from cursor.members()
        _expect_end(cursor)
        return
    cursor.take("{")
    cursor.at -= 1
    members = list(cursor.members())
    _expect_end(cursor)
    keys = [member.key for member in members]
    if fits(keys, contract):
        expect_no_columns({member.key: member.value for member in members}, contract)
        yield Cursor(text).value()
        return
    arrays = [member for member in members if isinstance(member.value, list)]
    if len(arrays) != 1:
        raise Refused(
            f"dataset {contract.name}: expected an array of records, an object with one, or an object that is a "
            f"record with columns {contract.required()}; found an object with {len(arrays)} arrays under "
            f"{keys[:SHOWN_NAMES]}. Put the records alone into the file."
        )
    yield from Cursor(text, arrays[0].start).members()


def _noted(records: Iterator[Member], starts: list[int], longest: int) -> Iterator[Iterable[str]]:
    """The keys of each record, while `starts` takes down where it starts. Raises Refused for one that is too long."""
    for record in records:
        starts.append(record.start)
        if record.end - record.start > longest:
            raise Refused(
                f"record {len(starts)}: expected at most {longest:,} characters, found {record.end - record.start:,}. "
                "Raise limits.cell_characters in the contract if this is meant."
            )
        yield record.value if isinstance(record.value, dict) else ()


def _expect_end(cursor: Cursor) -> None:
    if cursor.peek():
        raise json.JSONDecodeError("more after the value", cursor.text, cursor.at)


def _batches(text: str, starts: list[int], form: Form, rows: int) -> Iterator[RawBatch]:
    for first in range(0, len(starts), rows):
        yield _batch(text, starts[first : first + rows], first + 1, form)


def _batch(text: str, starts: list[int], first_line: int, form: Form) -> RawBatch:
    good: list[tuple[int, Cells]] = []
    sources: list[str] = []
    broken: list[BrokenRecord] = []
    faults: list[CellFault] = []
    for line, start in enumerate(starts, first_line):
        record = Cursor(text, start).value()
        source = text[start : record.end]
        try:
            found = cells(record.value, record.fault, source)
            faults += lost_digits(line, found, form.texts)
            good.append((line, found))
            sources.append(source)
        except NotARecord as fault:
            broken.append(BrokenRecord(line, source, str(fault)))
    return batch(form, good, broken, sources.__getitem__, faults)
