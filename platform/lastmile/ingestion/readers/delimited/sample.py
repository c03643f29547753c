"""The start of a delimited file, from which its dialect is found: as much of it as it takes to see a record.

A start that shows no record says nothing about the file: a longer one is taken, until a record is seen, is longer than
any may be, or every byte was seen to hold none. Blank lines before the first record are passed over at constant memory.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from lastmile.contracts.contract import Contract
from lastmile.ingestion.readers.delimited.encoding import shown
from lastmile.ingestion.readers.delimited.records import LONGEST, Dialect, Records, grammar, walk

#: What a backslash inside quotes is the escape of; before anything else it is a character, as in `C:\\new`.
_ESCAPED = re.compile(r'\\(["\\\r\n])')
_LINE_END = re.compile(rb"\r*\n|\r")
#: What the standard library reads as we do, at a fifth of the time; its cells are at most 128 KiB long.
_PLAIN_BYTES, _BREAKS = 100_000, re.compile(rb"[\r\n]")


@dataclass(frozen=True)
class Blank:
    """What was passed over before a sample: so many bytes, line ends, and the first of these as `\\n` or `\\r`."""

    size: int = 0
    lines: int = 0
    line_end: str = ""

    def and_(self, text: bytes) -> "Blank":
        line_end = self.line_end or _first_line_end(text)
        return Blank(self.size + len(text), self.lines + (text.count(line_end.encode()) if line_end else 0), line_end)


@dataclass(frozen=True)
class Sample:
    """The start of a file as UTF-8, behind what is `blank`; `whole` where that is all of it.

    `columns` is the most that a table may have, `longest` the bytes of the longest record.
    """

    text: bytes
    whole: bool
    columns: int
    longest: int = LONGEST
    blank: Blank = Blank()

    @cached_property
    def line_end(self) -> str:
        """As the first line has it: the header's."""
        return self.blank.line_end or _first_line_end(self.text) or "\n"

    def walk(self, dialect: Dialect, most: int) -> Records:
        """At most so many records. Raises Refused for one longer than `longest`."""
        return walk(self.text, dialect, 1 + self.blank.lines, self.whole, most, self.longest)

    def rows(self, dialect: Dialect, most: int) -> list[list[str] | None]:
        """The first records as fields; None for one with wrong quotes or more fields than a table has columns."""
        records = self.walk(dialect, most)
        spans = zip(records.start.tolist(), records.end.tolist(), records.fields.tolist(), strict=True)
        return [
            values(self.text[start:end], dialect) if 0 < fields <= self.columns else None
            for start, end, fields in spans
        ]


def samples(text: Iterator[bytes], contract: Contract) -> Iterator[Sample]:
    """Starts of a file, each twice as long as the one before, the last all of it; without blank lines before the first.

    Lines of blanks are records where there is no header to come before them.
    """
    columns, longest = contract.limits.columns, contract.limits.record_bytes
    blanks = b"\r\n" if contract.format.headerless else None
    start, following, blank, enough = next(text, b""), next(text, None), Blank(), 0
    while following is not None:
        size = _blank_lines(start, blanks)
        blank, start = blank.and_(start[:size]), start[size:]
        has_line = len(start) >= longest or b"\n" in start or b"\r" in start
        if has_line and len(start) >= enough and start.strip(blanks):
            yield Sample(start, False, columns, longest, blank)
            enough = 2 * len(start)
        start, following = start + following, next(text, None)
    size = _blank_lines(start, blanks)
    blank, start = blank.and_(start[:size]), start[size:]
    yield Sample(start if start.strip(blanks) else b"", True, columns, longest, blank)


def _blank_lines(text: bytes, blanks: bytes | None) -> int:
    """How many bytes the blank lines take that it begins with; of blanks only, all but the last byte, which may be the
    first of a line end."""
    size = len(text) - len(text.lstrip(blanks))
    if size == len(text):
        return max(size - 1, 0)
    return max(text.rfind(b"\n", 0, size), text.rfind(b"\r", 0, size)) + 1


def _first_line_end(text: bytes) -> str:
    first = _LINE_END.search(text)
    return first[0][-1:].decode() if first else ""


def values(record: bytes, dialect: Dialect) -> list[str]:
    """The fields of a well-formed record, without their quotes."""
    if not dialect.escape and len(record) < _PLAIN_BYTES and not _BREAKS.search(record):
        text = shown(record, "utf-8")
        if not dialect.quote:
            return text.split(dialect.delimiter)
        return next(csv.reader([text], delimiter=dialect.delimiter, quotechar=dialect.quote))
    fields = grammar(dialect).field.findall(record)
    return [_unquoted(shown(field, "utf-8"), dialect) for field in fields]


def _unquoted(field: str, dialect: Dialect) -> str:
    quote = dialect.quote
    if not quote or not field.startswith(quote):
        return field
    inner = field[1:-1]
    return _ESCAPED.sub(r"\1", inner) if dialect.escape else inner.replace(quote * 2, quote)
