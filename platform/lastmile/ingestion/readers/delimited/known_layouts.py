"""Layouts found before, used again for a file that begins with the same header line, once it is seen to have the same.

A search takes most of the time of a small drop. What it would find again is proved at a fraction of that: the header is
the same bytes, the first record below has as many fields, no quoting and no delimiter that the contract could fit is
there to choose, and no cell can show another format of numbers. Where any of it is in doubt, the search is made.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from lastmile.contracts.contract import Contract
from lastmile.ingestion.readers.delimited.dialect import COMMON, Layout, Sample, best_reading, dialects, find_layout
from lastmile.ingestion.readers.delimited.records import Dialect, split
from lastmile.ingestion.readers.header import TALLEST, find_heading, knows_all

#: Layouts kept; beyond, all are found anew.
MOST = 256
#: Records below a header within which one that apostrophes would break is sure to be compared.
COMPARED = 100
#: Digits in groups, by other signs than a comma. Searches with a plain prefix are ten times as fast.
_GROUPED = [
    re.compile(sign + rb"(?<=\d" + sign + rb")\d{3}" + behind)
    for sign, behind in ((b" ", b""), (b"'", b""), (rb"\.", rb"\.\d"))
]
_GROUPED_WIDE = [
    re.compile(sign + rb"(?<=\d" + sign + rb")\d{3}") for sign in (b"\xc2\xa0", b"\xe2\x80\xaf", b"\xe2\x80\x99")
]
#: A whole field in quotes, behind a comma or line end, with a comma inside, that may be a number: without letters but
#: for an exponent's.
_QUOTED_COMMA = re.compile(rb'"(?<=[\r\n,]")[^"A-DF-Za-df-z,]*,[^"A-DF-Za-df-z]*"')


@dataclass(frozen=True)
class _Known:
    layout: Layout
    #: Whether the header is one whatever comes below: it names all that the contract has, or nothing that it has not.
    is_complete: bool


_known: dict[tuple[str, bytes], _Known] = {}


def layout_of(sample: Sample, contract: Contract) -> Layout | None:
    """As `find_layout`, which is spared where the layout of an earlier file is certain to be that of this one."""
    line = sample.text[: sample.text.find(b"\n") + 1]
    known = _known.get((contract.version, line)) if line and sample.whole else None
    if known and _holds(known, sample, contract):
        skipped = sample.blank
        return replace(known.layout, offset=skipped.size + len(line), lines=skipped.lines + 1, preamble=skipped.lines)
    layout = find_layout(sample, contract)
    if layout and line and _may_be_remembered(layout, sample, line, contract):
        if len(_known) >= MOST:
            _known.clear()
        plain = replace(layout, numbers={}, undecided=False)
        _known[contract.version, line] = _Known(plain, knows_all(layout.header, contract))
    return layout


def _may_be_remembered(layout: Layout, sample: Sample, line: bytes, contract: Contract) -> bool:
    """Whether all that the layout depends on is the header line, but for what `_holds` looks at."""
    said, dialect = contract.format, layout.dialect
    return (
        dialect == Dialect(dialect.delimiter)
        and (said.delimiter or dialect.delimiter) in COMMON
        and said.quote is None
        and said.decimal is None
        and not said.headerless
        and not any(map(_may_be_row_names, contract.headers.exact))
        and not any(contract.metadata(column)["symbols"] for column in contract.table.columns)
        and layout.offset == sample.blank.size + len(line)
        and not layout.again.lines
        and not layout.surplus
        and not layout.unnamed
        and len(layout.header) > 1
        and all(map(str.strip, layout.header))
        and b"'" not in line
        and sample.rows(dialect, 1) == [layout.header]
    )


def _may_be_row_names(header: str) -> bool:
    """Whether it may mean the column of the names of rows, which a header need not name; few others may."""
    letters = "".join(filter(str.isalpha, header.lower()))
    return letters == "rownames" or (not header.isascii() and len(letters) == len("rownames"))


def _holds(known: _Known, sample: Sample, contract: Contract) -> bool:
    """Whether a search would find the known layout, and nothing that speaks for another format of numbers."""
    layout, text = known.layout, sample.text
    delimiter = layout.dialect.delimiter
    own, *below = sample.rows(layout.dialect, TALLEST)
    return (
        sample.line_end == "\n"
        and (not below or _is_record(below[0], layout))
        and _is_only_quoting(sample, layout)
        and not _shows_a_format(text, delimiter)
        and (known.is_complete or _is_heading([own or [], *(row or [] for row in below)], layout, contract))
        and all(
            _fits_no_contract(sample, other, contract) or best_reading(sample, other, contract) is None
            for other in COMMON
            if contract.format.delimiter is None and other != delimiter and (other == "," or other.encode() in text)
        )
    )


def _is_record(row: Sequence[str] | None, layout: Layout) -> bool:
    """Whether it is a whole record with content, and not the header again: then records have no field of surplus."""
    if row is None or len(row) != len(layout.header) or not any(row):
        return False
    return row[0].strip().lower() not in layout.again.first


def _is_only_quoting(sample: Sample, layout: Layout) -> bool:
    """Whether the standard quoting is the only one, or else breaks no record, where apostrophes as quotes break one."""
    delimiter, text = layout.dialect.delimiter, sample.text
    found = dialects(sample, delimiter)
    if found == [layout.dialect]:
        return True
    if found != [layout.dialect, replace(layout.dialect, quote="'")] or _opening_apostrophe(delimiter).search(text):
        return False
    records = split(text, layout.dialect, 1, final=True, longest=sample.longest)
    is_compared = text.count(b"\n", 0, text.find(b"'")) <= COMPARED
    return is_compared and bool((records.fields == layout.fields).all())


def _is_heading(first: Sequence[Sequence[str]], layout: Layout, contract: Contract) -> bool:
    heading = find_heading(first, contract)
    return heading is not None and heading.position == 0 and heading.names == layout.header


def _shows_a_format(text: bytes, delimiter: str) -> bool:
    """Whether any cell may have a decimal comma or digits in groups; a few others are suspected too."""
    has_commas = _QUOTED_COMMA.search(text) if delimiter == "," else b"," in text
    grouped = _GROUPED if text.isascii() else (*_GROUPED, *_GROUPED_WIDE)
    return bool(has_commas or any(form.search(text) for form in grouped))


def _fits_no_contract(sample: Sample, delimiter: str, contract: Contract) -> bool:
    """Whether no record has as many fields by this delimiter as the contract requires columns: then none is a header.

    Only seen where each line is a record: where no field starts with a quote.
    """
    text = sample.text
    if b"'" in text or any(
        _starts_field(text, quote.start(), delimiter) for quote in _may_open(delimiter).finditer(text)
    ):
        return False
    widest = 1 + max(line.count(delimiter.encode()) for line in text.split(b"\n"))
    return widest < len(contract.required())


def _starts_field(text: bytes, place: int, delimiter: str) -> bool:
    """Whether nothing but blanks lies between this place and a delimiter or line end before it."""
    before = text[place - 1 : place]
    while before in (b" ", b"\t") and before.decode() != delimiter:
        place -= 1
        before = text[place - 1 : place]
    return before in (b"", b"\r", b"\n", delimiter.encode())


@lru_cache
def _may_open(delimiter: str) -> re.Pattern[bytes]:
    """A quote behind a delimiter, line end or blank, or at the start."""
    return re.compile(rb'"(?<![^\r\n\t ' + re.escape(delimiter.encode()) + rb']")')


@lru_cache
def _opening_apostrophe(delimiter: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?:\A|[\r\n" + re.escape(delimiter.encode()) + rb"])'")
