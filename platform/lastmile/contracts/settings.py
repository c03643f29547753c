"""What a dataset declares in addition to its columns, by concern: files, misfits, arrival, limits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the files are written, where that is known better than the readers can detect it."""

    #: Encodings tried for text files that are neither UTF-8 nor marked with a byte order mark.
    encodings: Sequence[str] = ("cp1252",)
    #: Delimited files and sheets may come without a header: their columns are then those declared, in that order.
    headerless: bool = False
    #: The sheet of a workbook that is read, hidden or not; None: the only visible one with records that fits.
    sheet: str | None = None
    #: What stands before the fraction of numbers in delimited text; None: what the file's own numbers show.
    decimal: Literal[".", ","] | None = None
    #: What stands between the fields of delimited text, and around those that hold it ("" where nothing does); None:
    #: what the file shows.
    delimiter: str | None = None
    quote: str | None = None
    #: Lines of text, or rows of a sheet, that begin with it are no records.
    comment: str | None = None
    #: So many lines of text, or rows of a sheet, are passed over before the header is looked for.
    skip_lines: int = 0
    #: Cell texts read as "no value" in every column that names none of its own; None: those of the column's type.
    missing: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What becomes of rows and drops that do not fit."""

    #: A row whose key its drop or its partition of the table already has: quarantined as a duplicate, so that the first
    #: stays; quarantined as bad; or loaded.
    duplicates: Literal["first", "quarantine", "keep"] = "first"
    #: A column the schema does not declare: becomes a text column of the table, goes to `_rescued`, or refuses drops.
    unknown_columns: Literal["add", "rescue", "refuse"] = "rescue"
    #: A cell that does not fit its type: quarantines the row, or goes to `_rescued` and leaves the column null.
    wrong_type: Literal["quarantine", "rescue"] = "quarantine"
    #: A drop with the same bytes as another one of its partition that is loaded.
    same_content: Literal["skip", "load"] = "skip"
    #: Share of bad rows over which the whole drop is quarantined and nothing of it is loaded. Records sent one by one
    #: are each judged by themselves.
    max_bad_share: float = 0.2


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """When drops come, and how long they stay."""

    #: How long after the newest drop the dataset counts as stale; None where drops come when they come.
    expected_every: timedelta | None = None
    #: How long an object must have been left alone before it is read; None: a few seconds in a folder, where files grow
    #: before our eyes, and no time in a bucket, where objects come whole.
    quiet_period: timedelta | None = None
    #: How long the object of a loaded drop stays in the landing area; None means for ever.
    retention: timedelta | None = None


@dataclass(frozen=True)
class Limits:
    """Most of each that a drop may have; one more is refused before anything is parsed: a bomb is not tried.

    The defaults are far above what field data needs and far below what hurts a machine of 2 GB. `nesting` counts
    brackets of JSON inside each other.
    """

    bytes: int = 20 * 2**30
    unpacked_bytes: int = 100 * 2**30
    #: Unpacked to packed, from 16 MiB unpacked on. Text packs 3 to 30 times smaller, very regular text 100 times; a
    #: bomb 1,000 times.
    ratio: int = 250
    #: A row with a longer cell is quarantined; a record of more than `record_bytes` refuses the drop.
    cell_characters: int = 1_000_000
    columns: int = 5_000
    nesting: int = 64
    rows: int = 100_000_000
    #: Of a JSON document that is one value and must be held whole. JSON Lines have no such limit.
    document_bytes: int = 64 * 2**20

    @property
    def record_bytes(self) -> int:
        """Bytes of the longest record, all its cells together; what is longer is a lost quote or no table."""
        return max(16 * 2**20, 4 * self.cell_characters)
