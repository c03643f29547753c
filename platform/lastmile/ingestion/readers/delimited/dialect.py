"""Which dialect a delimited file is in. The contract is the judge: a dialect counts only when the header found fits it.

Of several quotings of one delimiter the one that breaks the fewest records wins, the standard one where it is among
them. Where two readings fit and differ, the file is refused rather than guessed at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers.delimited.header_place import header_of, lines_of, records_behind
from lastmile.ingestion.readers.delimited.number_format import evidence, is_undecided, number_format
from lastmile.ingestion.readers.delimited.records import Dialect, opening_quote
from lastmile.ingestion.readers.delimited.repeated_header import RepeatedHeader
from lastmile.ingestion.readers.delimited.sample import Sample
from lastmile.ingestion.readers.header import PREAMBLE, Heading, refusal, too_wide

#: Tried first; the others only where none of these fits: a blank after each comma would make two readings of a file.
COMMON, RARE = ",;\t|", ":^~\x01\x1f "
#: Bytes no text has, but for a stray one; tab, line ends, form feed, Ctrl-Z and the unit separators are not among them.
_CONTROL = [bytes([code]) for code in (*range(1, 9), 0, *range(14, 26), 27)]


@dataclass(frozen=True)
class Layout:
    """A dialect and what lies before the data: `offset` bytes of UTF-8 that hold `lines` line ends.

    `again` knows the header among the records. `surplus` is 1 where every record ends with a delimiter that the header
    has not; `unnamed` says that every record has a field more, and filled. `numbers` says how numbers are written, and
    `undecided` whether nothing showed it yet.
    """

    dialect: Dialect
    header: list[str]
    again: RepeatedHeader
    offset: int
    lines: int
    preamble: int
    surplus: int
    unnamed: bool
    numbers: dict[str, str]
    undecided: bool

    @property
    def fields(self) -> int:
        """Of a whole record."""
        return len(self.header) + self.surplus


@dataclass(frozen=True)
class _Reading:
    """A sample read in a dialect in which it has a header that fits."""

    sample: Sample
    dialect: Dialect
    heading: Heading
    contract: Contract

    @cached_property
    def again(self) -> RepeatedHeader:
        lines = lines_of(self.heading, self.sample, self.dialect) if self.heading.position >= 0 else ()
        return RepeatedHeader(self.heading.names, self.contract, lines)

    @cached_property
    def _data(self) -> list[list[str] | None]:
        """The first records behind the header, but for it again."""
        rows = records_behind(self.heading, self.sample, self.dialect)
        return [row for row in rows if row is None or not self.again.is_in(row)]

    @cached_property
    def surplus(self) -> int:
        """1 where records all end with a delimiter more than the header: none is as long as that, and all that are one
        longer end blank."""
        width = len(self.heading.names)
        longer = [row for row in self._data if row and len(row) == width + 1]
        as_long = any(row and len(row) == width for row in self._data)
        return int(bool(longer) and not as_long and not any(row[-1].strip() for row in longer))

    @property
    def unnamed(self) -> bool:
        widths = {len(row) for row in self._data if row}
        return not self.surplus and widths == {len(self.heading.names) + 1}

    @cached_property
    def rows(self) -> list[list[str] | None]:
        """The header, then the first records of the data; None for a record this dialect breaks."""
        width = len(self.heading.names)
        return [
            self.heading.names,
            *(row[:width] if row and len(row) == width + self.surplus else None for row in self._data),
        ]

    @cached_property
    def broken(self) -> int:
        return self.rows.count(None)

    def layout(self) -> Layout:
        shown_numbers = evidence(self.heading.names, self.rows[1:], self.contract)
        blank, before = self.sample.blank, self.sample.walk(self.dialect, self.heading.position + 1)
        return Layout(
            self.dialect,
            self.heading.names,
            self.again,
            offset=blank.size + before.consumed,
            lines=blank.lines + before.lines,
            preamble=int(before.line[-1]) - 1 if self.heading.position >= 0 else 0,
            surplus=self.surplus,
            unnamed=self.unnamed,
            numbers=number_format(shown_numbers, self.contract),
            undecided=is_undecided(shown_numbers, self.contract),
        )


def find_layout(sample: Sample, contract: Contract) -> Layout | None:
    """The one layout in which the start of a file fits the contract; None where it shows no record.

    Raises Refused where none fits or several do and differ, Unreadable where the file is no text.
    """
    said = contract.format
    for delimiters in (COMMON, RARE) if said.delimiter is None else (said.delimiter,):
        readings = [reading for delimiter in delimiters if (reading := _best(sample, delimiter, contract))]
        if readings:
            return _only(readings).layout()
    tried = [dialect for delimiter in said.delimiter or COMMON for dialect in dialects(sample, delimiter, said.quote)]
    starts = [sample.rows(dialect, PREAMBLE + 1) for dialect in tried]
    if not any(starts):
        return None
    if _is_binary(sample.text):
        raise Unreadable("this is no text and no format known here: found control characters. Check the file's format.")
    widest = max(int(sample.walk(dialect, PREAMBLE + 1).fields.max(initial=0)) for dialect in tried)
    if widest > sample.columns:
        raise too_wide(widest, contract)
    raise refusal([row or [] for rows in starts for row in rows], contract)


def dialects(sample: Sample, delimiter: str, quote: str | None = None) -> list[Dialect]:
    """Those that make a difference to the sample, the standard first; or the one with the quote given.

    A table without delimiters is read with commas. Quotes are characters like others where no field starts with one,
    as in `5" pipe`; between tabs they commonly are in any case.
    """
    text, line_end = sample.text, sample.line_end
    if delimiter != "," and delimiter.encode() not in text:
        return []
    if quote is not None:
        return [Dialect(delimiter, quote, line_end=line_end)]
    found = [Dialect(delimiter, line_end=line_end)]
    is_bare = b'"' in text and not opening_quote(delimiter).search(text)
    if is_bare:  # first where there are quotes far from any preamble; else only where records are whole so
        bare = Dialect(delimiter, "", line_end=line_end, bare=True)
        found.insert(0 if b'"' in text.split(b"\n", PREAMBLE)[-1] else 1, bare)
    if b"'" in text:
        found.append(Dialect(delimiter, "'", line_end=line_end))
    if b'\\"' in text and not is_bare:
        found.append(Dialect(delimiter, escape=True, line_end=line_end))
    if b'"' in text and not is_bare and delimiter == "\t":
        found.append(Dialect(delimiter, "", line_end=line_end))
    return found


def _best(sample: Sample, delimiter: str, contract: Contract) -> _Reading | None:
    """The reading by this delimiter that breaks the fewest records.

    Raises Refused where apostrophes may be quotes or not.
    """
    readings = [
        reading
        for dialect in dialects(sample, delimiter, contract.format.quote)
        if (reading := _read(sample, dialect, contract))
    ]
    if len(readings) < 2:
        return next(iter(readings), None)
    quoted = next((reading for reading in readings if reading.dialect.quote == "'"), None)
    best = min((reading for reading in readings if reading is not quoted), key=lambda reading: reading.broken)
    return best if quoted is None else _with_or_without_apostrophes(best, quoted)


def _with_or_without_apostrophes(best: _Reading, quoted: _Reading) -> _Reading:
    """Apostrophes are quotes where the header has them, or where nothing else is and they keep records whole."""
    if quoted.broken > best.broken:
        return best
    has_quotes = any('"' in cell for row in quoted.rows if row for cell in row)
    if all(map(_is_in_apostrophes, best.heading.names)) or (quoted.broken < best.broken and not has_quotes):
        return quoted
    if (place := _column_in_apostrophes(best.rows[1:])) is not None:
        raise Refused(
            f"expected values with or without double quotes, found all of column {best.heading.names[place]!r} in "
            "apostrophes, which may be quotes or not. Use double quotes."
        )
    return best


def _only(readings: Sequence[_Reading]) -> _Reading:
    first, *others = readings
    for other in others:
        if other.rows != first.rows:
            found = " and ".join(repr(reading.dialect.delimiter) for reading in (first, other))
            raise Refused(
                f"expected one delimiter, found that {found} both give a header that fits, and differ. Write the file "
                "with commas."
            )
    return first


def _read(sample: Sample, dialect: Dialect, contract: Contract) -> _Reading | None:
    heading = header_of(sample, dialect, contract)
    is_guess = dialect.delimiter not in (",", contract.format.delimiter)
    if heading is None or (len(heading.names) == 1 and is_guess):
        return None
    reading = _Reading(sample, dialect, heading, contract)
    if heading.position < 0 and 2 * reading.broken >= len(reading.rows):
        return None  # nothing but the number of fields tells this dialect from others
    return reading


def _is_in_apostrophes(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] == "'"


def _column_in_apostrophes(rows: Sequence[list[str] | None]) -> int | None:
    """The place of the first column that has values, all of them in apostrophes."""
    columns = zip(*filter(None, rows), strict=True)
    filled = [[cell for cell in column if cell] for column in columns]
    return next((place for place, cells in enumerate(filled) if cells and all(map(_is_in_apostrophes, cells))), None)


def _is_binary(sample: bytes) -> bool:
    start = sample[: 2**16]
    return 100 * sum(map(start.count, _CONTROL)) > len(start)
