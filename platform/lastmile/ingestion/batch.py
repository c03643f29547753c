"""What passes between the rooms of the intake: a batch of raw records, the same batch judged, and a drop's refusal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl


class Refused(Exception):
    """A drop that cannot be taken as a whole. The message says what was expected, what was found, and what to do."""


class Unreadable(Refused):
    """A drop whose bytes cannot be parsed at all: tried again a bounded number of times, then quarantined."""


@dataclass(frozen=True)
class BrokenRecord:
    """A record that could not be split into the header's fields, so it never became a row."""

    line: int
    raw: str
    reason: str


@dataclass(frozen=True)
class RawBatch:
    """Records as read: every column text, under the header names found; null where the record has no such field.

    `lines` (UInt64, one per row, ascending) is the 1-based line a record starts on (text formats) or its 1-based row
    number in the sheet, table or array (other formats). `raw` gives the source text of the rows asked for by position;
    it is called for bad rows only, so a reader may do the work then. `nul_free` says that no cell has a NUL character,
    where the reader knows; else whoever cares must look.
    """

    frame: pl.DataFrame
    lines: pl.Series
    raw: Callable[[Sequence[int]], list[str]]
    broken: Sequence[BrokenRecord] = ()
    nul_free: bool = False

    @property
    def records(self) -> int:
        return self.frame.height + len(self.broken)


#: Of rows set aside, whatever for.
QUARANTINE_SCHEMA = {"line": pl.UInt64, "raw": pl.String, "reasons": pl.String}


@dataclass(frozen=True)
class ValidatedBatch:
    """A batch after its contract: `valid` rows typed, in the contract's column order, then `_line` and `_rescued`.

    `_rescued` is a JSON object text, or null where nothing was rescued. `bad` has columns line (UInt64), raw (String)
    and reasons (String: a JSON list of objects with column, rule, found, message).
    """

    valid: pl.DataFrame
    bad: pl.DataFrame


@dataclass(frozen=True)
class SchemaChange:
    """How a drop's header differs from its contract; nothing here is an error by itself.

    Columns that nobody declared are `added` to the table or `rescued`; `renamed` gives header and column.
    """

    added: Sequence[str] = ()
    rescued: Sequence[str] = ()
    missing: Sequence[str] = ()
    renamed: dict[str, str] = field(default_factory=dict)
    reordered: bool = False

    def as_json(self) -> dict[str, Any]:
        found = {
            "added": list(self.added),
            "rescued": list(self.rescued),
            "missing": list(self.missing),
            "renamed": self.renamed,
            "reordered": self.reordered,
        }
        return {name: value for name, value in found.items() if value}
