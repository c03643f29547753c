"""Which dialect a delimited file is in. The contract is the judge: a dialect counts only when the header found fits it.

Of several quotings of one delimiter the one that breaks the fewest records wins, the standard one where it is among
them. Where two readings fit and differ, the file is refused rather than guessed at.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import Refused, Unreadable
from lastmile.ingestion.readers.delimited.apostrophes import are_quotes
from lastmile.ingestion.readers.delimited.header_place import lines_of, other_heading
from lastmile.ingestion.readers.delimited.number_format import evidence, is_undecided, number_format
from lastmile.ingestion.readers.delimited.records import LONGEST, Dialect, Records, opening_quote, values, walk
from lastmile.ingestion.readers.delimited.repeated_header import RepeatedHeader
from lastmile.ingestion.readers.header import PREAMBLE, Heading, find_heading, refusal, too_wide

#: Tried first; the others only where none of these fits: a blank after each comma would make two readings of a file.
COMMON, RARE = ",;\t|", ":^~\x01\x1f "
#: Records read in every dialect that fits, to compare them; of wide ones fewer, by so many cells, but never less than
#: the last.
SAMPLE, SAMPLE_CELLS, LEAST = 1_000, 250_000, 100
_LINE_END = re.compile(rb"\r*\n|\r")
#: Bytes no text has, but for a stray one; tab, line ends, form feed, Ctrl-Z and the unit separators are not among them.
_CONTROL = [bytes([code]) for code in (*range(1, 9), 0, *range(14, 26), 27)]


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
        names, place = self.heading.names, self.heading.position
        rows = self.sample.rows(self.dialect, place + 1)
        lines = [] if place < 0 or rows[-1] == names else lines_of(self.heading, rows)
        return RepeatedHeader(
            names, self.contract, lines, _first_cells([*names, *(line[0] for line in lines)], self.contract)
        )

    @cached_property
    def _data(self) -> list[list[str] | None]:
        """The first records behind the header, but for it again and for those of empty fields only; None for a record
        badly quoted."""
        first, again = self.heading.position + 1, self.again
        most = max(LEAST, min(SAMPLE, SAMPLE_CELLS // len(self.heading.names)))
        rows = self.sample.rows(self.dialect, first + most)[first:]
        filled = [row for row in rows if row is None or any(row)]
        return [row for row in filled if not row or row[0].strip().lower() not in again.first or not again.is_in(row)]

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
        readings = [reading for delimiter in delimiters if (reading := best_reading(sample, delimiter, contract))]
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


def best_reading(sample: Sample, delimiter: str, contract: Contract) -> _Reading | None:
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
    if quoted is None or quoted.broken > best.broken:
        return best
    return quoted if are_quotes(quoted.rows, best.rows, quoted.broken < best.broken) else best


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
    heading = _heading(partial(sample.rows, dialect), contract)
    is_guess = dialect.delimiter not in (",", contract.format.delimiter)
    if heading is None or (len(heading.names) == 1 and is_guess):
        return None
    reading = _Reading(sample, dialect, heading, contract)
    if heading.position < 0 and 2 * reading.broken >= len(reading.rows):
        return None  # nothing but the number of fields tells this dialect from others
    return reading


def _heading(rows: Callable[[int], list[list[str] | None]], contract: Contract) -> Heading | None:
    """Of a header that names every field of what follows, as most do, what is found at once; else what is found on a
    closer look."""
    first = [row or [] for row in rows(PREAMBLE + 1)]
    heading = find_heading(first, contract)
    if contract.format.headerless:
        return heading
    if heading is not None:
        own, *below = first[heading.position : heading.position + 2]
        is_plain = len(own) > 1 and all(map(str.strip, own)) and all(len(row) <= len(own) for row in below)
        if is_plain:
            return heading
    return other_heading(heading, rows, contract)


def _first_cells(names: Sequence[str], contract: Contract) -> frozenset[str]:
    """What the first cell of a repeated header can be, in lower case: any name, as it may be spelled."""
    contract = contract.expanded(names)
    aliases = (name for column in contract.columns for name in contract.metadata(column)["aliases"])
    spelled = {name.strip().lower() for name in (*names, *contract.columns, *aliases)}
    words = [re.findall(r"[^\W_]+", name) for name in spelled]
    return frozenset(spelled | {sign.join(found) for found in words for sign in ("_", " ", "-", ".", "")})


def _is_binary(sample: bytes) -> bool:
    start = sample[: 2**16]
    return 100 * sum(map(start.count, _CONTROL)) > len(start)
