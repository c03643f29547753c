"""Where the records of delimited text lie: exactly, at the speed of vectors, and never by a guess.

The grammar is RFC 4180's, with any one-byte delimiter and quote: a field is either free of quotes or wholly in quotes,
with inner ones doubled. Lines end with LF and any CRs before it, or, in a file that has them so, with CR; the other one
is then a character like others. A line of no characters is not a record. A record whose quotes do not fit the grammar
ends at the end of its first line, and reading goes on with the next: one lost quote costs one line, not the file.
"""

import csv
import re
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lastmile.contracts.settings import Limits
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers.delimited.encoding import shown

if TYPE_CHECKING:
    from lastmile.ingestion.readers.delimited.dialect import Layout

#: Bytes of the longest record where no contract says otherwise.
LONGEST = Limits().record_bytes
#: Stands for the number of fields where quotes are wrong, so that it is unknown.
MISQUOTED = -1

#: Stands for the field behind a delimiter that ends every record; no header has this name.
SURPLUS = "\0"

LF, CR = 10, 13
#: Bytes looked at together.
WINDOW = 2**19
NEVER = "(?!)"
#: What the standard library reads as we do, at a fifth of the time; its cells are at most 128 KiB long.
_PLAIN_BYTES, _BREAKS = 100_000, re.compile(rb"[\r\n]")
#: What a backslash inside quotes is the escape of; before anything else it is a character, as in `C:\\new`.
_ESCAPED = re.compile(r'\\(["\\\r\n])')
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Dialect:
    """How fields are delimited. With no `quote`, quotes are characters like others. With `escape`, a quote, backslash
    or line end after a backslash inside quotes stands for itself (as MySQL writes). `line_end` is LF or CR.
    With `bare`, quotes are characters because no field was seen to start with one, and none may."""

    delimiter: str
    quote: str = '"'
    escape: bool = False
    line_end: str = "\n"
    bare: bool = False


@dataclass(frozen=True)
class Records:
    """Records of a buffer, as columns: byte range without the line end, line of the first byte, and number of fields.

    `consumed` bytes holding `lines` line ends are done with; what follows them is the start of a record cut off.
    """

    start: Numbers
    end: Numbers
    line: Numbers
    fields: Numbers
    consumed: int
    lines: int

    @property
    def empty(self) -> Flags:
        """Per record, whether it has nothing but delimiters."""
        found: Flags = (self.fields > 1) & (self.end - self.start == self.fields - 1)
        return found

    def maybe_titles(self, buffer: bytes, dialect: Dialect) -> Numbers:
        """Places of records behind an empty one or a blank line that have one field, or end as with an empty one."""
        data = np.frombuffer(buffer, np.uint8)
        last, gap, is_empty = data[self.end - 1], self.start[1:] - self.end[:-1], self.empty
        is_line_end = (gap == 1) | ((gap == 2) & (data[self.end[:-1]] == CR) & (dialect.line_end == "\n"))
        is_behind = np.append(False, ~is_line_end | is_empty[:-1])[: len(is_empty)]
        is_short = (self.fields == 1) | (last == ord(dialect.delimiter)) | (last == ord(dialect.quote or "\0"))
        return np.flatnonzero(is_behind & is_short & ~is_empty)

    def where(self, kept: Flags) -> "Records":
        start, end, line, fields = (column[kept] for column in (self.start, self.end, self.line, self.fields))
        return Records(start, end, line, fields, self.consumed, self.lines)


class Grammar(NamedTuple):
    """Patterns of one dialect. `field` captures a field after its delimiter; `fitting` is what fits before a line end,
    `record` is that with its line end to follow, `unclosed` one whose quote stays open, `line` whatever a line has."""

    field: re.Pattern[bytes]
    fitting: re.Pattern[bytes]
    record: re.Pattern[bytes]
    unclosed: re.Pattern[bytes]
    line: re.Pattern[bytes]


@lru_cache
def grammar(dialect: Dialect) -> Grammar:
    delimiter, quote, line_end = map(re.escape, (dialect.delimiter, dialect.quote, dialect.line_end))
    inner = rf"(?:[^{quote}\\]++|\\.)*+" if dialect.escape else rf"(?:[^{quote}]++|{quote}{quote})*+"
    opened = quote + inner if quote else NEVER
    field = rf"(?:{opened}{quote}|[^{delimiter}{line_end}{quote}]*+)"
    fitting = rf"{field}(?:{delimiter}{field})*+"
    carriages = r"\r*+" if dialect.line_end == "\n" else ""
    sources = {
        "field": rf"(?:\A|{delimiter})({field})",
        "fitting": fitting,
        "record": rf"{fitting}{carriages}(?={line_end}|\Z)",
        "unclosed": rf"(?:{field}{delimiter})*+{opened}\\?\Z",  # the backslash: an escape cut in two
        "line": rf"[^{line_end}]*+",
    }
    return Grammar(**{name: re.compile(source.encode(), re.DOTALL) for name, source in sources.items()})


@lru_cache
def opening_quote(delimiter: str) -> re.Pattern[bytes]:
    """A quote with which a field starts, also behind blanks."""
    return re.compile(rb"(?:\A|[\r\n" + re.escape(delimiter.encode()) + rb"])[ \t]*+\"")


def split(buffer: bytes, dialect: Dialect, first_line: int, final: bool, longest: int = LONGEST) -> Records:
    """The whole records of a buffer that starts with one, in time linear in its size.

    Unless `final`, the last may be cut off and is left unconsumed. Raises Refused for one of more than `longest` bytes.
    """
    records = None if dialect.escape or not buffer else _split_at_once(buffer, dialect, first_line, final)
    if records is None or len(buffer) - records.consumed >= longest:
        return walk(buffer, dialect, first_line, final, longest=longest)
    return records


def _split_at_once(buffer: bytes, dialect: Dialect, first_line: int, final: bool) -> Records | None:
    """As `split`; None where quotes do not fit the grammar, which takes a closer look."""
    data = np.frombuffer(buffer, np.uint8)
    marks = _marks(data, dialect)
    kinds = data[marks]
    is_break = kinds == ord(dialect.line_end)
    breaks = marks[is_break]
    is_quote = kinds == ord(dialect.quote or dialect.line_end)
    if dialect.quote and is_quote.any():
        quotes = marks[is_quote]
        if (final and len(quotes) % 2) or not _quotes_fit(data, quotes, dialect):
            return None
        is_inside = np.bitwise_xor.accumulate(is_quote.view(np.uint8)).view(np.bool_)
        outside = ~(is_inside | is_quote)
        marks, is_break = marks[outside], is_break[outside]
    return _located(data, marks, np.flatnonzero(is_break), breaks, first_line, final)


def _marks(data: NDArray[np.uint8], dialect: Dialect) -> Numbers:
    """Where delimiters, line ends and quotes are; sought in windows that stay in the processor's cache."""
    kinds = [ord(mark) for mark in (dialect.delimiter, dialect.line_end, dialect.quote) if mark]
    found = []
    for first in range(0, len(data), WINDOW):
        window = data[first : first + WINDOW]
        is_mark = window == kinds[0]
        for kind in kinds[1:]:
            is_mark |= window == kind
        found.append(np.flatnonzero(is_mark) + first)
    return np.concatenate(found)


def _quotes_fit(data: NDArray[np.uint8], quotes: Numbers, dialect: Dialect) -> bool:
    """Whether every opening quote starts a field and every closing one ends it, or is one of a doubled pair.

    A CR after a closing quote is part of a line end only where LF or the buffer's end follows.
    """
    opening, closing = quotes[::2], quotes[1::2]
    before, after = opening[opening > 0] - 1, closing[closing + 1 < len(data)] + 1
    unended = after[~_is_edge(data[after], dialect)]
    if dialect.line_end == "\n":
        is_followed = unended + 1 < len(data)
        follows = data[np.where(is_followed, unended + 1, 0)]
        unended = unended[(data[unended] != CR) | (is_followed & (follows != LF))]
    return bool(_is_edge(data[before], dialect).all()) and not len(unended)


def _is_edge(bytes_at: NDArray[np.uint8], dialect: Dialect) -> Flags:
    """Per byte, whether a quote may stand next to it."""
    marks = map(ord, (dialect.quote, dialect.delimiter, dialect.line_end))
    flags: Flags = np.logical_or.reduce([bytes_at == mark for mark in marks])
    return flags


def _located(
    data: NDArray[np.uint8], marks: Numbers, last: Numbers, breaks: Numbers, first_line: int, final: bool
) -> Records:
    """Records from the positions of all `marks` outside quotes and of all line ends, those in quotes too.

    `last` tells which of the marks end a record, so that between two of them are as many marks as fields.
    """
    ends = marks[last]
    start, end = np.append(0, ends + 1), np.append(ends, len(data))
    fields = np.diff(np.append(last, len(marks)), prepend=-1)
    consumed = len(data) if final else int(start[-1])
    start, end, fields = (start, end, fields) if final else (start[:-1], end[:-1], fields[:-1])
    while (carriage := (end > start) & (data[end - 1] == CR)).any():
        end = end - carriage
    kept = end > start
    start, end, fields = start[kept], end[kept], fields[kept]
    return Records(
        start,
        end,
        line=first_line + np.searchsorted(breaks, start),
        fields=fields,
        consumed=consumed,
        lines=int(np.searchsorted(breaks, consumed)),
    )


def walk(
    buffer: bytes, dialect: Dialect, first_line: int, final: bool, most: int = sys.maxsize, longest: int = LONGEST
) -> Records:
    """As `split`, record by record, each by the grammar; stops after `most` records."""
    rules, line_end = grammar(dialect), dialect.line_end.encode()
    found = array("q")
    at, line = 0, first_line
    while at < len(buffer) and len(found) < 4 * most:
        end, fits = _end_of_record(buffer, rules, at, line, final, longest)
        if end is None:
            break
        record = buffer[at:end].rstrip(b"\r")
        if record:
            fields = _count_fields(record, rules, dialect) if fits else MISQUOTED
            found.extend((at, at + len(record), line, fields))
        line += 1 + record.count(line_end)
        at = end + 1
    columns = np.array(found, np.int64).reshape(-1, 4).T
    return Records(columns[0], columns[1], columns[2], columns[3], min(at, len(buffer)), line - first_line)


def fitting_length(record: bytes, dialect: Dialect) -> int:
    """How many characters of a misquoted record come before the first that does not fit."""
    found = grammar(dialect).fitting.match(record)
    return len(record[: found.end()].decode("utf-8", "replace")) if found else 0


def _end_of_record(
    buffer: bytes, rules: Grammar, at: int, line: int, final: bool, longest: int
) -> tuple[int | None, bool]:
    """Where its line end is, and whether its quotes fit the grammar; None where the buffer ends before it is known."""
    found = rules.record.match(buffer, at)
    if found and (final or found.end() < len(buffer)):
        return found.end(), True
    too_long = len(buffer) - at >= longest
    if not found and (final or too_long or not rules.unclosed.match(buffer, at)):
        first_line = rules.line.match(buffer, at)
        if first_line and (final or first_line.end() < len(buffer)):
            return first_line.end(), False
    if too_long:
        raise Refused(
            f"line {line}: expected records of at most {longest:,} bytes, found a longer one. Check the file's format, "
            "quotes and line ends, or raise limits.cell_characters in the contract if this is meant."
        )
    return None, False


def _count_fields(record: bytes, rules: Grammar, dialect: Dialect) -> int:
    if dialect.quote and dialect.quote.encode() in record:
        return len(rules.field.findall(record))
    return record.count(dialect.delimiter.encode()) + 1


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


def parsed(texts: Sequence[bytes], rows: int, layout: "Layout", line: int) -> pl.DataFrame:
    """The rows of the texts. Raises Unreadable rather than trust a parser that counts them differently."""
    dialect = layout.dialect
    frame = pl.read_csv(
        dialect.line_end.encode().join(texts),
        has_header=False,
        schema=schema_of(layout),
        separator=dialect.delimiter,
        quote_char=dialect.quote or None,
        eol_char=dialect.line_end,
        empty_string_is_null=False,
        missing_columns="raise",
        extra_columns="raise",
    )
    if frame.height != rows:
        raise Unreadable(
            f"from line {line} on, {rows} records were found but {frame.height} parsed: this file shows a fault of the"
            " reader. Keep it and report it."
        )
    return frame


def schema_of(layout: "Layout") -> dict[str, type[pl.String]]:
    return dict.fromkeys([*layout.header, *[SURPLUS] * layout.surplus], pl.String)


def has_carriages(text: bytes, dialect: Dialect) -> bool:
    """Whether there are CRs that are no part of a line end, which polars drops at the end of a field."""
    return dialect.line_end == "\n" and b"\r" in text and text.count(b"\r") != text.count(b"\r\n")
