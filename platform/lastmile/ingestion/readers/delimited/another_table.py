"""Where the table of a file ends because another one stands below it, as in sheets saved as text.

The other table is known by how it begins: an empty record or blank line; a title, that is records with no field filled
but the first, which is no number or date; then a header, that is a record of two or more fields filled, none of them a
number or date. Where that is the table's own header again, the table goes on below it.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from lastmile.ingestion.readers.delimited.records import Dialect, Flags, Records, values
from lastmile.ingestion.readers.delimited.repeated_header import RepeatedHeader

#: Bytes that are held back at most until it shows whether another table begins with them.
LONGEST = 2**16
#: A text that is a value rather than a name: a number, also with a unit or currency, a date, a time.
_VALUE = re.compile(r"\W*\d.*")


@dataclass(frozen=True)
class Part:
    """A buffer of whole records, and which of them are no part of the table; `has_ended` where none behind them is."""

    buffer: bytes
    records: Records
    foreign: Flags
    has_ended: bool = False


def of_table(buffer: bytes, records: Records, dialect: Dialect, again: RepeatedHeader, final: bool) -> Part:
    """The records with those that are foreign to the table: titles above its own header again, and all from the title
    of another table on. Without the last ones where the next tell what they are."""
    is_empty, count = records.empty, len(records.start)
    foreign = np.zeros(count, np.bool_)
    for place in records.maybe_titles(buffer, dialect):
        header = _behind_titles(buffer, records, is_empty, place, dialect)
        if header == count and not final:
            return _without(buffer, records, foreign, place, dialect)
        cells = [] if header in (place, count) else _cells(buffer, records, header, dialect)
        if cells and again.may_be(cells[0]) and again.is_in(cells):
            foreign[place:header] = True
        elif _is_header(cells):
            foreign[place:] = True
            return Part(buffer, records, foreign, has_ended=True)
    if not final and count and (is_empty[-1] or records.consumed - records.end[-1] > 2):
        return _without(buffer, records, foreign, count, dialect)
    return Part(buffer, records, foreign)


def _behind_titles(buffer: bytes, records: Records, is_empty: Flags, place: int, dialect: Dialect) -> int:
    """The place of the first record from this one on that is neither a title nor empty; their number if all are."""
    while place < len(is_empty) and (is_empty[place] or _is_title(_cells(buffer, records, place, dialect))):
        place += 1
    return place


def _cells(buffer: bytes, records: Records, place: int, dialect: Dialect) -> list[str]:
    if records.fields[place] < 1:
        return []
    return values(buffer[records.start[place] : records.end[place]], dialect)


def _is_title(cells: list[str]) -> bool:
    first, *others = map(str.strip, cells or [""])
    return bool(first) and not any(others) and not _VALUE.match(first)


def _is_header(cells: list[str]) -> bool:
    filled = [cell for cell in map(str.strip, cells) if cell]
    return len(filled) > 1 and not any(map(_VALUE.match, filled))


def _without(buffer: bytes, records: Records, foreign: Flags, place: int, dialect: Dialect) -> Part:
    """The records before this place and before what is blank in front of it."""
    while place and records.empty[place - 1]:
        place -= 1
    consumed = int(records.end[place - 1]) if place else 0
    if records.consumed - consumed > LONGEST:
        return Part(buffer, records, foreign)
    lines = buffer.count(dialect.line_end.encode(), 0, consumed)
    kept = records.where(np.arange(len(records.start)) < place)
    return Part(buffer, replace(kept, consumed=consumed, lines=lines), foreign[:place])
