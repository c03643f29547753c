"""Lines of JSON as most programs write them, many at once: flat objects, all with the same keys in the same order.

Nothing is guessed: a line is read here only if it is, byte for byte, the keys of the first line between values each of
which is seen to be one string, number, true, false or null. So it has no key twice, nothing nested and nothing behind
it, and its numbers keep their digits. Every other line is left to the exact reader.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

#: Of a text in Arrow's string view, so many bytes lie in the view itself.
INLINE = 12
_KEPT = np.tril(np.full((INLINE + 1, INLINE), 255, np.uint8), -1).view(np.uint32)
_DIGITS = np.zeros(256, np.bool_)
_DIGITS[ord("0") : ord("9") + 1] = True
_WORDS = (b"null", b"true", b"false")


class Template(NamedTuple):
    """The keys of a line, and the bytes before the value of each; `tail` of them come behind its key."""

    keys: list[str]
    before: list[bytes]
    tail: int


def template_of(line: bytes) -> Template | None:
    """Of a line that is a flat object, as `json`, orjson, polars or JavaScript write one; None for any other."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(value, dict) or not value:
        return None
    for comma, colon in ((b",", b":"), (b", ", b": ")):
        keys = [orjson.dumps(key) + colon for key in value]
        before = [b"{" + keys[0], *(comma + key for key in keys[1:])]
        if all(part in line for part in before):
            return Template(list(value), before, 1 + len(colon))
    return None


@dataclass(frozen=True)
class Lines:
    """Whole lines of UTF-8, without carriage returns at their ends; `number` is the 1-based one of each."""

    data: bytes
    start: Numbers
    end: Numbers
    number: Numbers

    @classmethod
    def of(cls, data: bytes, first: int) -> "Lines":
        """Without empty lines."""
        read = np.frombuffer(data, np.uint8)
        breaks = np.flatnonzero(read == ord("\n"))
        start, end = np.append(0, breaks + 1), np.append(breaks, len(data))
        while len(data) and (carriage := (end > start) & (read[end - 1] == ord("\r"))).any():
            end = end - carriage
        kept = end > start
        return cls(data, start[kept], end[kept], first + np.flatnonzero(kept))

    def part(self, first: int, behind: int) -> "Lines":
        """Some of them, with no more data than is theirs."""
        start, end, number = (of[first:behind] for of in (self.start, self.end, self.number))
        return Lines(self.data[start[0] : end[-1]], start - start[0], end - start[0], number)

    def text(self, line: int) -> bytes:
        return self.data[self.start[line] : self.end[line]]


def places_of(lines: Lines, template: Template) -> tuple[Numbers, Numbers]:
    """The lines with the template's keys, and where the value of each key begins in them: a row for each key."""
    read, count = np.frombuffer(lines.data, np.uint8), len(template.keys)
    colons = np.flatnonzero(read == ord(":"))
    before = read[colons - 1]
    marks = colons[before == ord('"')] - 1
    first, behind = np.searchsorted(marks, lines.start), np.searchsorted(marks, lines.end)
    fits = (behind - first == count) & (read[lines.end - 1] == ord("}"))
    blanks = colons[(before == ord(" ")) | (before == ord("\t"))]  # where a key may stand before a blank and a colon
    fits[np.searchsorted(lines.end, blanks)] = False
    rows = np.flatnonzero(fits)
    values = marks[first[rows] + np.arange(count)[:, None]] + template.tail
    held = np.ones(len(rows), np.bool_)
    ended = lines.start[rows]
    for column, part in enumerate(template.before):
        begins = values[column] - len(part)
        held &= begins == ended if column == 0 else begins > ended
        held &= _are(lines.data, np.maximum(begins, 0), part)
        ended = values[column]
    return (rows, values) if held.all() else (rows[held], values[:, held])


def _are(data: bytes, places: Numbers, text: bytes) -> Flags:
    """Whether the text stands at each of these places."""
    windows = np.ndarray(max(0, len(data) - len(text) + 1), f"S{len(text)}", data, strides=(1,))
    found = windows[np.minimum(places, len(windows) - 1)] if len(windows) else np.zeros(len(places), "S1")
    if found.tobytes() == text * len(places):
        return np.ones(len(places), np.bool_)
    flags: Flags = found == text
    return flags


def read_flat(lines: Lines, template: Template) -> tuple[Numbers, pl.DataFrame]:
    """The lines that are flat objects of the template, and their values as texts, a row for each."""
    rows, values = places_of(lines, template)
    ends = np.empty_like(values)
    ends[:-1] = values[1:] - np.array([[len(part)] for part in template.before[1:]], np.int64).reshape(-1, 1)
    ends[-1] = lines.end[rows] - 1
    read = np.frombuffer(lines.data, np.uint8)
    good = (ends > values).all(axis=0) & ~_have_controls(read, lines)[rows]
    is_text = (read[values] == ord('"')) & (read[ends - 1] == ord('"')) & (ends - values > 1)
    begin, size = values + is_text, ends - values - 2 * is_text
    quotes = 2 * len(template.keys) + 2 * is_text.sum(axis=0)
    more = _unescape(lines.data, values, ends, begin, size, quotes, good, is_text) if b"\\" in lines.data else b""
    good &= _have_quotes(read, lines, rows, quotes)
    buffer = lines.data + more + bytes(INLINE)
    columns = {}
    for column, key in enumerate(template.keys):
        texts, unfit = _column(buffer, begin[column], size[column], is_text[column], good)
        good &= ~unfit
        columns[key] = texts
    frame = pl.DataFrame(columns)
    return (rows, frame) if good.all() else (rows[good], frame.filter(pl.Series(good)))


def _count(places: Numbers, start: Numbers, end: Numbers) -> Numbers:
    """How many of the ascending places lie in each span."""
    count: Numbers = np.searchsorted(places, end) - np.searchsorted(places, start)
    return count


def _have_controls(read: Bytes, lines: Lines) -> Flags:
    """Per line, whether it has a control character, which no JSON has inside a line but a tab between values."""
    is_control = read < ord(" ")
    if np.count_nonzero(is_control) == lines.data.count(b"\n"):
        return np.zeros(len(lines.start), np.bool_)
    return _count(np.flatnonzero(is_control), lines.start, lines.end) > 0


def _have_quotes(read: Bytes, lines: Lines, rows: Numbers, least: Numbers) -> Flags:
    """Whether these lines have as many quotes as they have at least."""
    if len(rows) == len(lines.start) and lines.data.count(b'"') == least.sum():
        return np.ones(len(rows), np.bool_)
    quotes = np.flatnonzero(read == ord('"'))
    flags: Flags = least == _count(quotes, lines.start[rows], lines.end[rows])
    return flags


def _unescape(
    data: bytes,
    values: Numbers,
    ends: Numbers,
    begin: Numbers,
    size: Numbers,
    quotes: Numbers,
    good: Flags,
    is_text: Flags,
) -> bytes:
    """The texts of the strings with backslashes, to stand behind the data; `begin` and `size` then say where.

    Quotes inside of them are added to those expected of their rows; rows with a string that is none are no more good.
    """
    escapes = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\\"))
    cells = np.searchsorted(values.T.ravel(), escapes, "right") - 1 if values.size else escapes[:0]
    cells = cells[np.diff(cells, prepend=-1) > 0]
    found, at = [], len(data)
    for cell in cells.tolist():
        row, column = divmod(cell, len(values))
        text = data[values[column, row] : ends[column, row]]
        if b"\\" not in text:  # it stands in a line behind this one, which has no values here
            continue
        try:
            decoded = orjson.loads(text) if is_text[column, row] else None
        except orjson.JSONDecodeError:
            decoded = None
        if not isinstance(decoded, str):
            good[row] = False
            continue
        found.append(decoded.encode())
        quotes[row] += text.count(b'"') - 2
        begin[column, row], size[column, row] = at, len(found[-1])
        at += len(found[-1])
    return b"".join(found)


def _column(buffer: bytes, begin: Numbers, size: Numbers, is_text: Flags, good: Flags) -> tuple[pl.Series, Flags]:
    """The texts of one key, null for null, and in which of the rows that were good the value is none of JSON."""
    texts = _texts(buffer, begin, np.where(good, size, 0))
    unfit = np.zeros(len(begin), np.bool_)
    others = np.flatnonzero(~is_text & good)
    if not len(others):
        return texts, unfit
    given = texts if len(others) == len(texts) else texts.gather(others)
    is_number = _are_numbers(buffer, given, begin[others], size[others])
    if is_number.all():
        return texts, unfit
    is_word = given.is_in([word.decode() for word in _WORDS]).to_numpy()
    unfit[others] = ~(is_word | is_number)
    if is_word.any() and (is_null := (given == "null")).any():
        texts = texts.scatter(others[is_null.to_numpy()], None)
    return texts, unfit


def _are_numbers(buffer: bytes, texts: pl.Series, begin: Numbers, size: Numbers) -> Flags:
    """Which of the texts are numbers of JSON without an exponent, which is written in several ways."""
    read = np.frombuffer(buffer, np.uint8)
    digit = begin + (read[begin] == ord("-"))
    starts: Flags = _DIGITS[read[digit]] & _DIGITS[read[begin + size - 1]]
    starts &= (read[digit] != ord("0")) | (begin + size - digit == 1) | (read[digit + 1] == ord("."))
    values = texts.cast(pl.Float64, strict=False)
    if values.null_count():
        starts &= values.is_not_null().to_numpy()
    candidates = texts if starts.all() else texts.filter(pl.Series(starts))
    joined: str = candidates.str.join("").item() or ""
    if "e" in joined or "E" in joined:
        starts &= ~texts.str.contains("[eE]").to_numpy()
    return starts


def _texts(buffer: bytes, begin: Numbers, size: Numbers) -> pl.Series:
    """The texts at these places of a buffer of UTF-8, which are not copied: Arrow's string view."""
    import pyarrow as pa

    windows = np.ndarray(len(buffer) - INLINE + 1, f"V{INLINE}", buffer, strides=(1,))
    views = np.empty((len(begin), 4), np.uint32)
    views[:, 0] = size
    views[:, 1:] = windows[begin].view(np.uint32).reshape(-1, 3) & _KEPT[np.minimum(size, INLINE)]
    is_long = size > INLINE
    views[is_long, 2] = 0
    views[is_long, 3] = begin[is_long]
    buffers = [None, pa.py_buffer(views), pa.py_buffer(buffer)]
    return pl.Series("", pl.from_arrow(pa.Array.from_buffers(pa.string_view(), len(begin), buffers)))
