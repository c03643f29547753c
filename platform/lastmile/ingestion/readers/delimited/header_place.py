"""Where in a delimited file its header is, and whether it has as many fields as the records below, or one less or more.

The header is among the first records, or below a long preamble: then none of the records before it has as many fields
filled. It may end with a delimiter that no record has; what that names is no column. And it may lack a name for the
first field, as R writes row names; they are read where the contract declares a column `row_names`, since nothing else
tells them from a last field without a name.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate

from lastmile.contracts.contract import Contract
from lastmile.contracts.names import normal_name
from lastmile.ingestion.readers.header import PREAMBLE, TALLEST, Heading, find_heading
from lastmile.ingestion.validation.header_match import fit

#: Records that a preamble may have; its lines may be as many as a questionnaire or a licence has.
LONG_PREAMBLE = 200
#: Records looked at below it.
SAMPLE = 1_000
#: What the column is called that has no name because it has the names of the rows.
ROW_NAMES = "row_names"
#: The first so many records as fields; None for one badly quoted.
Rows = Callable[[int], list[list[str] | None]]


def other_heading(heading: Heading | None, rows: Rows, contract: Contract) -> Heading | None:
    """The header where it is not what was found among the first records, or what was found is not all of it.

    Raises Refused where it has more columns than the contract's limit, or reads in two ways.
    """
    first = [row or [] for row in rows(PREAMBLE + 1)]
    if named := _with_row_names(first, rows, contract):
        return named
    heading = _not_a_title(heading, first, contract)
    if heading is None and len(first) > PREAMBLE:
        heading = _below_preamble([row or [] for row in rows(LONG_PREAMBLE + 1)], contract)
    return heading and _without_last(heading, rows, contract)


def lines_of(heading: Heading, rows: Sequence[list[str] | None]) -> list[list[str]]:
    """Of the records up to a header, those that it takes where it takes several; none where it is one record."""
    *_, own = last = [row or [] for row in rows[-TALLEST:]]
    names = heading.names[heading.names[0] == ROW_NAMES and len(own) < len(heading.names) :]
    if all(_is_named(*pair) for pair in zip(enumerate(own), names, strict=False)):
        return []
    return [row for row in last if row and all(any(cell.strip() in name for name in names) for cell in row)]


def _is_named(cell: tuple[int, str], name: str) -> bool:
    """Whether a header of one record has this cell for the name, equal ones being distinguished by their places."""
    place, text = cell[0], cell[1].strip()
    return name.strip().startswith(text) if text else name.rstrip(")").endswith(str(place + 1))


def _widths(heading: Heading, rows: Rows) -> set[int]:
    """The numbers of fields of the first records behind the header that have any filled."""
    first = heading.position + 1
    return {len(row) for row in rows(first + SAMPLE)[first:] if row and any(row)}


def _not_a_title(heading: Heading | None, rows: list[list[str]], contract: Contract) -> Heading | None:
    """The header below, if what was found is a title that happens to be a name: one filled field, where it has more."""
    if heading is None or _filled(rows[heading.position]) > 1:
        return heading
    below = heading.position + 1
    other = find_heading(rows[below:], contract)
    is_better = other is not None and _filled(rows[below + other.position]) > 1
    return Heading(other.names, below + other.position) if other and is_better else heading


def _filled(row: list[str]) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _below_preamble(rows: list[list[str]], contract: Contract) -> Heading | None:
    filled = list(map(_filled, rows))
    most_before = accumulate(filled, max, initial=0)
    for place, (row, count, before) in enumerate(zip(rows, filled, most_before, strict=False)):
        if place > PREAMBLE and count > before and (heading := find_heading([row], contract)):
            return Heading(heading.names, place)
    return None


def _without_last(heading: Heading, rows: Rows, contract: Contract) -> Heading:
    """Without the empty name behind a delimiter at the header's end that none of the records has."""
    width = len(heading.names)
    last = rows(heading.position + 1)[-1]
    if width < 2 or not last or last[-1].strip() or heading.names[-1] in fit(contract, heading.names)[0].values():
        return heading
    widths = _widths(heading, rows)
    return Heading(heading.names[:-1], heading.position) if widths and max(widths) == width - 1 else heading


def _with_row_names(first: list[list[str]], rows: Rows, contract: Contract) -> Heading | None:
    """The header and the name it lacks, where the contract declares that and all records have one field more."""
    if not _declares_row_names(contract):
        return None
    heading = find_heading(([ROW_NAMES, *row] for row in first), contract)
    return heading if heading and _widths(heading, rows) == {len(heading.names)} else None


def _declares_row_names(contract: Contract) -> bool:
    names = (name for column in contract.columns for name in (column, *contract.metadata(column)["aliases"]))
    return ROW_NAMES in map(normal_name, names)
