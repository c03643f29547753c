"""What passes between the stages of ingestion: an opened drop, its batches raw and validated, its refusal."""

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

#: More gain nothing and need more memory; with fewer, blocks of delimited text would be split, at a fifth more time.
BATCH_ROWS = 25_000
#: Of wide files a batch has fewer rows, so that memory is bounded: so many cells, about as many as a block of text has.
BATCH_CELLS = 1_200_000
#: Of undeclared cells, which are kept as JSON with their columns' names, and so take thrice the memory.
RESCUED_CELLS = 400_000


class Refused(Exception):
    """A drop that cannot be ingested as a whole. The message says what was expected, what was found, what to do."""


class Unreadable(Refused):
    """A drop whose bytes cannot be parsed at all: retried a bounded number of times, then quarantined."""


@dataclass(frozen=True)
class BrokenRecord:
    """A record that could not be split into the header's fields, so it never became a row."""

    line: int
    raw: str
    reason: str


@dataclass(frozen=True)
class CellFault:
    """A cell that no table can hold as its file has it, such as bytes that are no text; it costs its row.

    `column` is a header of the file, `rule` the kind of fault. `expected` and `found` are for the person who reads why.
    """

    line: int
    column: str
    rule: str
    expected: str
    found: str


@dataclass(frozen=True)
class RawBatch:
    """Records as read: every column text, under the headers found; null where the record has no such field.

    `lines` (UInt64, one per row, ascending) is the 1-based line a record starts on (text formats) or its 1-based row
    number in the sheet, table or array (other formats). `raw` returns the source text of the rows at these positions;
    it is called for bad rows only, so a reader may defer the work to it. `nul_free` is True where the reader knows that
    no cell has a NUL character. `faults` are of cells of these rows; their texts in the frame are what can be shown.
    """

    frame: pl.DataFrame
    lines: pl.Series
    raw: Callable[[Sequence[int]], list[str]]
    broken: Sequence[BrokenRecord] = ()
    nul_free: bool = False
    faults: Sequence[CellFault] = ()

    @property
    def records(self) -> int:
        return self.frame.height + len(self.broken)

    @property
    def faulty_lines(self) -> set[int]:
        return {fault.line for fault in self.faults}


@dataclass(frozen=True)
class Unparsed:
    """Records of a small file that are found and not parsed yet, so that those of many files may be parsed at once.

    `parse` makes rows of texts of equal `form`, one after another, given how many rows they have; `batch` makes the
    file's only batch of the rows that `text` has. `size` is about what those take in memory, in bytes.
    """

    text: bytes
    rows: int
    columns: int
    form: Hashable
    parse: Callable[[Sequence[bytes], int], pl.DataFrame] = field(repr=False)
    batch: Callable[[pl.DataFrame], RawBatch] = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.text) + 16 * self.rows * self.columns


@dataclass(frozen=True)
class Reader:
    """An opened drop. `header` is empty for a file without content; then, and for a header only, there are no batches.

    `format` is what was detected: format, compression, encoding, delimiter, sheet, lines before the header. A file
    whose first megabytes are plain ASCII has encoding `ascii` until a later batch decides it; read it after the last
    batch. Every frame has exactly the header's columns, in its order.
    """

    format: dict[str, str | int]
    header: list[str]
    produce: Callable[[int], Iterator[RawBatch]] = field(repr=False)
    #: The records as they are before they are parsed, where they make a single batch and can be had so.
    unparsed: Callable[[], Unparsed | None] = field(repr=False, default=lambda: None)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[RawBatch]:
        """The records in file order, at most `rows` and `BATCH_CELLS` in a batch; each call starts again at the first.

        Raises Refused or Unreadable where the file turns out to be damaged: then no earlier batch may be kept.
        """
        return self.produce(rows_in_batch(len(self.header), rows))


def rows_in_batch(columns: int, most: int = BATCH_ROWS) -> int:
    """Rows of a batch of so many columns."""
    return max(1, min(most, BATCH_CELLS // max(1, columns)))


def rows_at_once(rescued: int) -> int:
    """Rows of a batch of which so many columns are rescued."""
    return max(1, min(BATCH_ROWS, RESCUED_CELLS // max(1, rescued)))


#: Columns of quarantined rows: `reasons` is a JSON list of objects with column, rule, found, message.
QUARANTINE_SCHEMA = {"line": pl.UInt64, "raw": pl.String, "reasons": pl.String}


@dataclass(frozen=True)
class ValidatedBatch:
    """A batch after validation: `valid` rows typed, in the contract's column order, then `_line` and `_rescued`.

    `_rescued` is a JSON object as text, or null where nothing was rescued. `bad` has the columns of QUARANTINE_SCHEMA.
    """

    valid: pl.DataFrame
    bad: pl.DataFrame

    def without_discarded(self, batch: RawBatch, discarded: Mapping[int, str]) -> "ValidatedBatch":
        """The batch with valid rows on `discarded` lines moved to the bad ones, for the reason given by line.

        Rows that were discarded by decision stay out when their drop is re-ingested.
        """
        is_discarded = self.valid["_line"].is_in(list(discarded)) if discarded else None
        if is_discarded is None or not is_discarded.any():
            return self
        lines = self.valid["_line"].filter(is_discarded)
        texts = batch.raw(batch.lines.search_sorted(lines).to_list())
        reasons = [_discard_reason(discarded[line]) for line in lines]
        rows = pl.DataFrame([lines.to_list(), texts, reasons], schema=self.bad.schema)
        bad = pl.concat([self.bad, rows]).sort("line", maintain_order=True)
        return ValidatedBatch(self.valid.filter(~is_discarded), bad)


def _discard_reason(why: str) -> str:
    reason = {"column": None, "rule": "discarded", "found": None, "message": f"discarded by decision: {why}"}
    return json.dumps([reason], ensure_ascii=False)


@dataclass(frozen=True)
class SchemaChange:
    """How a drop's header differs from its contract; nothing here is an error by itself.

    Undeclared columns are `added` to the table or `rescued`; `renamed` maps each header that
    is not exactly the name of the column it was read as to that column.
    """

    added: Sequence[str] = ()
    rescued: Sequence[str] = ()
    missing: Sequence[str] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    reordered: bool = False

    def as_json(self) -> dict[str, Any]:
        """The differences only; empty where the header is as declared."""
        found = {
            "added": list(self.added),
            "rescued": list(self.rescued),
            "missing": list(self.missing),
            "renamed": self.renamed,
            "reordered": self.reordered,
        }
        return {name: value for name, value in found.items() if value}
