"""CSV and its relatives: any delimiter, quoting, encoding and compression that is sane, at constant memory.

Rules, chosen so that nothing is read differently from how it was meant:
- A record has exactly as many fields as the header, or it is broken; that includes one with a trailing delimiter that
  the header has not, unless all have it. Nothing is padded, nothing cut.
- An empty field is the empty text, quoted or not. A line of no characters, or of delimiters only, is not a record. No
  cell is trimmed. `empty_records` in the format says how many lines of delimiters only lie among the records.
- A header repeated further down is a broken record; so is all of another table below (see `another_table`).
- A record whose bytes are no text in the file's encoding is broken; so is one whose quotes don't fit (see `records`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, islice

import numpy as np
import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import (
    BATCH_ROWS,
    BrokenRecord,
    RawBatch,
    Reader,
    Unparsed,
    rows_in_batch,
)
from lastmile.ingestion.readers.compression import blocks
from lastmile.ingestion.readers.delimited.another_table import Part, of_table
from lastmile.ingestion.readers.delimited.backslashes import used
from lastmile.ingestion.readers.delimited.dialect import Layout, samples
from lastmile.ingestion.readers.delimited.encoding import as_utf8, shown, without_c1, without_marks
from lastmile.ingestion.readers.delimited.header_place import ROW_NAMES
from lastmile.ingestion.readers.delimited.known_layouts import layout_of
from lastmile.ingestion.readers.delimited.number_format import watched
from lastmile.ingestion.readers.delimited.records import (
    CR,
    MISQUOTED,
    Flags,
    Numbers,
    Records,
    fitting_length,
    has_carriages,
    opening_quote,
    parsed,
    schema_of,
    split,
    values,
)
from lastmile.ingestion.readers.delimited.skipped_lines import without_skipped
from lastmile.store import Source

#: Why a record below the table is broken.
ANOTHER_TABLE = (
    "expected one table in a file, found another one, with a title and a header below an empty line: this is its title "
    "or one of its records. Send it in a file of its own"
)
#: Why a record is broken that has a quoted field in a file where quotes are characters like others.
OPENED_QUOTE = 'expected " only inside fields, as at the start of the file, found a field that starts with one'
#: Below so many, rows are looked at one by one: setting up more costs more.
FEW_ROWS = 2_000


def open_delimited(path: Source, contract: Contract, found: dict[str, str | int]) -> Reader:
    """Raises Refused where no dialect fits the contract, Unreadable where the file is no text."""

    def text() -> Iterator[bytes]:
        decoded = as_utf8(blocks(path, contract.limits), contract.format.encodings, found)
        lines = without_c1(without_marks(decoded, found), found)
        skips = contract.format.skip_lines or contract.format.comment
        return without_skipped(lines, contract.format) if skips else lines

    layouts = (layout_of(sample, contract) for sample in samples(text(), contract))
    layout = next(filter(None, layouts), None)
    if layout is None:
        return Reader(found | {"format": "empty"}, [], lambda rows: iter(()))
    found |= _described(layout)

    def produce(rows: int) -> Iterator[RawBatch]:
        data = _behind(text(), layout.offset)
        pieces = _in_pieces(data, rows, layout.dialect.line_end.encode()) if rows < BATCH_ROWS else data
        batches = _batches(_parts(pieces, layout, contract.limits.record_bytes), layout, found, rows)
        return watched(batches, contract) if layout.undecided else batches

    def unparsed() -> Unparsed | None:
        parts = _parts(_behind(text(), layout.offset), layout, contract.limits.record_bytes)
        chunks = [] if layout.undecided else list(islice(_chunks(parts, layout, found), 2))
        return chunks[0].unparsed() if len(chunks) == 1 else None

    return Reader(found, layout.header, produce, unparsed)


def _in_pieces(text: Iterator[bytes], rows: int, line_end: bytes) -> Iterator[bytes]:
    """The text in pieces of about so many records, since all that a piece takes as columns is held at once."""
    for block in text:
        piece = max(1, rows * len(block) // (1 + block.count(line_end)))
        for begin in range(0, len(block), piece):
            yield block[begin : begin + piece]


def _described(layout: Layout) -> dict[str, str | int]:
    dialect = layout.dialect
    escape: dict[str, str | int] = {"escape": "\\"} if dialect.escape else {}
    trailing: dict[str, str | int] = {"trailing_delimiter": 1} if layout.surplus else {}
    return {
        "format": "csv",
        "delimiter": dialect.delimiter,
        "quote": dialect.quote or "none",
        **escape,
        "preamble_lines": layout.preamble,
        **trailing,
        **layout.numbers,
    }


def _batches(parts: Iterator[Part], layout: Layout, found: dict[str, str | int], rows: int) -> Iterator[RawBatch]:
    for chunk in _chunks(parts, layout, found):
        yield from chunk.batches(rows)


def _chunks(parts: Iterator[Part], layout: Layout, found: dict[str, str | int]) -> Iterator["_Chunk"]:
    found.pop("empty_records", None)
    backslashes: str | None = None
    for part in parts:
        is_empty = part.records.empty
        if count := int((is_empty & ~part.foreign).sum()):
            found["empty_records"] = int(found.get("empty_records", 0)) + count
        filled = part.records.where(~is_empty) if is_empty.any() else part.records
        if len(filled.start):
            chunk = _Chunk(part.buffer, filled, part.foreign[~is_empty], layout, found["encoding"])
            if layout.dialect.escape:
                backslashes = used(chunk.texts(), layout.dialect, backslashes)
            yield chunk


def _parts(text: Iterator[bytes], layout: Layout, longest: int) -> Iterator[Part]:
    """Buffers of whole records, each with what was cut off at the end of the one before."""
    line, rest, has_ended = 1 + layout.lines, next(text, b""), False
    for block in chain(text, [None]):
        records = split(rest, layout.dialect, line, final=block is None, longest=longest)
        part = Part(rest, records, np.full(len(records.start), has_ended), has_ended)
        if not has_ended and (_ends_blank(records) or len(records.maybe_titles(rest, layout.dialect))):
            part = of_table(rest, records, layout.dialect, layout.again, final=block is None)
        yield part
        has_ended = part.has_ended
        line, rest = line + part.records.lines, rest[part.records.consumed :] + (block or b"")


def _ends_blank(records: Records) -> bool:
    return len(records.end) > 0 and bool(records.empty[-1] or records.consumed - records.end[-1] > 2)


def _behind(text: Iterator[bytes], offset: int) -> Iterator[bytes]:
    for block in text:
        if offset < len(block):
            yield block[offset:]
        offset = max(0, offset - len(block))


@dataclass(frozen=True)
class _Chunk:
    """One buffer and where its records lie; those that are `foreign` are no part of the table."""

    buffer: bytes
    records: Records
    foreign: Flags
    layout: Layout
    encoding: str | int

    @cached_property
    def _nul_free(self) -> bool:
        return b"\0" not in self.buffer

    def batches(self, rows: int) -> Iterator[RawBatch]:
        """As few as may be, of even size."""
        good = self._good()
        return self._split(self._parse(good), good, rows)

    def unparsed(self) -> Unparsed | None:
        """None where it makes several batches, or its records are not parsed by polars alone."""
        good, header = self._good(), self.layout.header
        rows = rows_in_batch(len(header))
        text = self._text_for_polars(good) if 0 < len(good) <= rows and len(header) > 1 else None
        if not text or self.layout.surplus:
            return None
        return Unparsed(
            text,
            int(good.sum()),
            len(header),
            (self.layout.dialect, *header),
            partial(parsed, layout=self.layout, line=1),
            lambda frame: next(self._split(frame, good, rows)),
        )

    def _good(self) -> Flags:
        is_whole: Flags = self.records.fields == self.layout.fields
        return is_whole & self._is_text() & ~self._opens_quote & ~self.foreign

    def _split(self, frame: pl.DataFrame, good: Flags, rows: int) -> Iterator[RawBatch]:
        """The batches of the good records, given as a frame, and of the broken ones."""
        if self.layout.surplus:
            blank = (frame.to_series(-1).str.strip_chars() == "").to_numpy()
            good[good] = blank
            frame = frame.filter(blank).select(self.layout.header)
        repeated = self._repeats_header(frame)
        if repeated.any():
            good[good] = ~repeated
            frame = frame.filter(~repeated)
        for window in np.array_split(np.arange(len(good)), max(1, -(-len(good) // rows))):
            is_good = good[window]
            height = int(is_good.sum())
            yield self._batch(frame.head(height), window[is_good], window[~is_good])
            frame = frame.slice(height)

    def _repeats_header(self, frame: pl.DataFrame) -> Flags:
        """Per row, whether it is the header again; only those whose first cell may be are looked at closely."""
        found, again, first = np.zeros(frame.height, np.bool_), self.layout.again, frame.to_series(0)
        if frame.height < FEW_ROWS:
            places = [place for place, text in enumerate(first.to_list()) if text.strip().lower() in again.first]
        else:
            places = first.str.strip_chars().str.to_lowercase().is_in(list(again.first)).arg_true().to_list()
        for place in places:
            found[place] = again.is_in(frame.row(place))
        return found

    def _batch(self, frame: pl.DataFrame, good: Numbers, bad: Numbers) -> RawBatch:
        def raw(positions: Sequence[int]) -> list[str]:
            return self._texts(good[list(positions)])

        lines = pl.Series("line", self.records.line[good], pl.UInt64)
        broken = [self._broken(record) for record in bad.tolist()]
        return RawBatch(frame, lines, raw, broken, nul_free=self._nul_free)

    def _parse(self, good: Flags) -> pl.DataFrame:
        """The good records as a frame."""
        if text := self._text_for_polars(good):
            return parsed([text], int(good.sum()), self.layout, int(self.records.line[0]))
        dialect = self.layout.dialect
        rows = [values(record, dialect) for record in self._slices(self.records.start[good], self.records.end[good])]
        return pl.DataFrame(rows, schema_of(self.layout), orient="row")

    def _text_for_polars(self, good: Flags) -> bytes | None:
        """The good records, one after another; None where polars reads them otherwise than we do, or there are none."""
        dialect, start = self.layout.dialect, self.records.start[good]
        text = self._joined(start, self.records.end[good]) if len(start) else b""
        return text if text and not dialect.escape and not has_carriages(text, dialect) else None

    def _joined(self, start: Numbers, end: Numbers) -> bytes:
        """The records with nothing but line ends between them."""
        if self._are_adjacent(start, end):
            return self.buffer[start[0] : end[-1]]
        return self.layout.dialect.line_end.encode().join(self._slices(start, end))

    def _slices(self, start: Numbers, end: Numbers) -> Iterator[bytes]:
        return (self.buffer[first:last] for first, last in zip(start.tolist(), end.tolist(), strict=True))

    def _are_adjacent(self, start: Numbers, end: Numbers) -> bool:
        data, stop, gap = np.frombuffer(self.buffer, np.uint8), end[:-1], start[1:] - end[:-1]
        is_crlf = (gap == 2) & (data[stop] == CR) & (self.layout.dialect.line_end == "\n")
        return bool(((gap == 1) | is_crlf).all())

    @cached_property
    def _opens_quote(self) -> Flags:
        """Per record, whether a field starts with a quote where none may."""
        found = np.zeros(len(self.records.start), np.bool_)
        if self.layout.dialect.bare and b'"' in self.buffer:
            opening = opening_quote(self.layout.dialect.delimiter)
            opened = [quote.end() - 1 for quote in opening.finditer(self.buffer, 0, int(self.records.end[-1]))]
            found[np.searchsorted(self.records.end, opened, "right")] = True
        return found

    def texts(self) -> Iterator[bytes]:
        """The whole records, well quoted."""
        whole = self.records.fields == self.layout.fields
        return self._slices(self.records.start[whole], self.records.end[whole])

    def _is_text(self) -> Flags:
        """Per record, whether its bytes are text in the file's encoding."""
        count = len(self.records.start)
        if self.buffer.isascii() or _decodes(memoryview(self.buffer)[: self.records.consumed]):
            return np.ones(count, np.bool_)
        return np.fromiter(map(_decodes, self._slices(self.records.start, self.records.end)), np.bool_, count)

    def _texts(self, records: Numbers) -> list[str]:
        slices = self._slices(self.records.start[records], self.records.end[records])
        return [shown(text, self.encoding) for text in slices]

    def _text(self, record: int) -> str:
        return shown(self.buffer[self.records.start[record] : self.records.end[record]], self.encoding)

    def _broken(self, record: int) -> BrokenRecord:
        start, end, fields = (
            int(column[record]) for column in (self.records.start, self.records.end, self.records.fields)
        )
        if self.foreign[record]:
            reason = ANOTHER_TABLE
        elif self._opens_quote[record]:
            reason = OPENED_QUOTE
        else:
            reason = self._reason(self.buffer[start:end], fields)
        return BrokenRecord(int(self.records.line[record]), self._text(record), reason)

    def _reason(self, text: bytes, fields: int) -> str:
        dialect, expected = self.layout.dialect, len(self.layout.header)
        if fields == MISQUOTED:
            column = fitting_length(text, dialect) + 1
            return f"character {column}: expected {dialect.quote} only around whole fields and doubled inside them"
        cells, again = values(text, dialect), self.layout.again
        if cells and again.may_be(cells[0]) and again.is_in(cells):
            return "expected a record, found the header again: the file may hold more than one table"
        if fields != self.layout.fields:
            trailing = not self.layout.surplus and fields == expected + 1 and text.endswith(dialect.delimiter.encode())
            hint = ", the last one empty: remove the delimiter at the end" if trailing else ""
            if self.layout.unnamed and fields == expected + 1:
                hint = f", one without a name. If it is the first, as of names of rows, declare a column {ROW_NAMES!r}"
            more = " and an empty one behind" if self.layout.surplus else ""
            return f"expected {expected} fields as in the header{more}, found {fields}{hint}"
        if self.layout.surplus and _decodes(text):
            return f"expected an empty field behind the {expected} of the header, as in the records before"
        return f"expected text in {self.encoding}, found bytes that are none, here written \\xNN"


def _decodes(text: bytes | memoryview) -> bool:
    try:
        str(text, "utf-8")
    except UnicodeDecodeError:
        return False
    return True
