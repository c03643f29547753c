"""Where the table of a file ends because another one stands below it, as in sheets saved as text.

The other table is known by how it begins: an empty record or blank line; a title, that is records with no field filled
but the first, which is no number or date; then a record of two or more fields filled, none of them a number or date.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from lastmile.ingestion.readers.delimited.records import CR, Dialect, Flags, Numbers, Records
from lastmile.ingestion.readers.delimited.sample import values

#: Bytes that are held back at most until it shows whether another table begins with them.
LONGEST = 2**16
#: A text that is a value rather than a name: a number, also with a unit or currency, a date, a time.
_VALUE = re.compile(r"\W*\d.*")


@dataclass(frozen=True)
class Part:
    """A buffer of whole records; those from the place `end` on are of another table."""

    buffer: bytes
    records: Records
    end: int


def empty(records: Records) -> Flags:
    """Per record, whether it has nothing but delimiters."""
    found: Flags = (records.fields > 1) & (records.end - records.start == records.fields - 1)
    return found


def ended(buffer: bytes, records: Records, dialect: Dialect, final: bool) -> Part:
    """The records with where another table begins among them; without the last ones where the next tell whether it
    does."""
    is_empty = empty(records)
    for place in _candidates(buffer, records, is_empty, dialect):
        verdict = _begins(buffer, records, is_empty, place, dialect)
        if verdict is None and not final:
            return _without(buffer, records, place, dialect)
        if verdict:
            return Part(buffer, records, place)
    count = len(records.start)
    ends_blank = count > 0 and (is_empty[-1] or records.consumed - records.end[-1] > 2)
    return _without(buffer, records, count, dialect) if ends_blank and not final else Part(buffer, records, count)


def _candidates(buffer: bytes, records: Records, is_empty: Flags, dialect: Dialect) -> Numbers:
    """Places of records behind an empty one that may be titles: they have one field, or end with an empty one."""
    data = np.frombuffer(buffer, np.uint8)
    last, gap = data[records.end - 1], records.start[1:] - records.end[:-1]
    is_line_end = (gap == 1) | ((gap == 2) & (data[records.end[:-1]] == CR) & (dialect.line_end == "\n"))
    is_behind = np.append(False, ~is_line_end | is_empty[:-1])[: len(is_empty)]
    may_be_title = (records.fields == 1) | (last == ord(dialect.delimiter)) | (last == ord(dialect.quote or "\0"))
    return np.flatnonzero(is_behind & may_be_title & ~is_empty)


def _begins(buffer: bytes, records: Records, is_empty: Flags, place: int, dialect: Dialect) -> bool | None:
    """Whether another table begins with the title at this place; None where the records end before it shows."""
    if not _is_title(_cells(buffer, records, place, dialect)):
        return False
    for following in range(place + 1, len(is_empty)):
        cells = [] if is_empty[following] else _cells(buffer, records, following, dialect)
        if cells and not _is_title(cells):
            filled = [cell for cell in map(str.strip, cells) if cell]
            return len(filled) > 1 and not any(map(_VALUE.match, filled))
    return None


def _cells(buffer: bytes, records: Records, place: int, dialect: Dialect) -> list[str]:
    if records.fields[place] < 1:
        return []
    return values(buffer[records.start[place] : records.end[place]], dialect)


def _is_title(cells: list[str]) -> bool:
    first, *others = map(str.strip, cells or [""])
    return bool(first) and not any(others) and not _VALUE.match(first)


def _without(buffer: bytes, records: Records, place: int, dialect: Dialect) -> Part:
    """The records before this place and before what is blank in front of it."""
    while place and empty(records)[place - 1]:
        place -= 1
    consumed = int(records.end[place - 1]) if place else 0
    if records.consumed - consumed > LONGEST:
        return Part(buffer, records, len(records.start))
    lines = buffer.count(dialect.line_end.encode(), 0, consumed)
    kept = records.where(np.arange(len(records.start)) < place)
    return Part(buffer, replace(kept, consumed=consumed, lines=lines), place)
