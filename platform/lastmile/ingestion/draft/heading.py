"""The header of a table that no contract knows yet: the first record as wide as most that is unlike the data below it.

The readers judge a layout by its contract. Here there is none, so this is a guess, and the only one: once the names are
known, the file is read by the readers under a contract of these names.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lastmile.ingestion.readers.delimited.dialect import COMMON, RARE, Sample, dialects
from lastmile.ingestion.readers.header import PREAMBLE

#: Records looked at in each dialect.
LOOKED_AT = 200
#: A text that is a value rather than a name: a number, a date, a time.
_VALUE = re.compile(r"[+-]?[\d.,]*\d[\d.,]*%?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?|\d\d?:\d\d(:\d\d)?")


@dataclass(frozen=True)
class Heading:
    """Names of the columns, made up where there is no header; `fit` is how well the records look like a table."""

    names: list[str]
    headerless: bool
    fit: float


def of_text(sample: Sample) -> Heading | None:
    """The header of delimited text, by the delimiter of the most even table; None where there are no records."""
    found = [
        heading
        for delimiter in (*COMMON, *RARE)
        for dialect in dialects(sample, delimiter)
        if (heading := of_rows(sample.rows(dialect, LOOKED_AT), rare=delimiter in RARE))
    ]
    return max(found, key=lambda heading: heading.fit, default=None)


def of_rows(rows: Iterable[Sequence[str] | None], rare: bool = False) -> Heading | None:
    """The header among the first rows; None stands for a row that is broken."""
    read = [row for row in rows if row is None or any(cell.strip() for cell in row)]
    widths = Counter(len(row) for row in read if row)
    if not widths:
        return None
    width = max(widths, key=lambda found: (widths[found] * (found > 1), found))
    position = next((place for place, row in enumerate(read[:PREAMBLE]) if row and len(row) in (width, width - 1)), 0)
    names, data = list(read[position] or ()), [row for row in read[position + 1 :] if row and len(row) == width]
    share = widths[width] / len(read)
    fit = share * (1 - 1 / (width + 0.1)) * (0.5 if rare else 1)
    if len(names) < width:
        is_header = bool(names) and all(not row[-1].strip() for row in data)
        names, fit = (names, fit) if is_header else (list(data[0]) if data else names, fit / 2)
    if _is_header(names, data):
        return Heading(names, False, fit)
    return Heading([f"field_{number}" for number in range(1, len(names) + 1)], True, fit * 0.9)


def _is_header(names: Sequence[str], data: Sequence[Sequence[str]]) -> bool:
    """By columns of values under a name that is none; where there are none, by names that are not among the data."""
    stripped = [name.strip() for name in names]
    if not any(stripped):
        return False
    votes = 0
    for place, name in enumerate(stripped):
        below = [row[place].strip() for row in data if place < len(row) and row[place].strip()]
        if below and sum(map(is_value, below)) > 0.8 * len(below):
            votes += -1 if is_value(name) else 1
    if votes:
        return votes > 0
    repeated = sum(
        row[place].strip() == name for row in data for place, name in enumerate(stripped) if place < len(row)
    )
    return not any(map(is_value, stripped)) and repeated <= len(data) // 20


def is_value(text: str) -> bool:
    return bool(_VALUE.fullmatch(text))
