"""Where in a delimited file its header is, and whether it has as many fields as the records below, or one less or more.

The header is among the first records, or below a long preamble: then none of the records before it has as many fields
filled. It may end with a delimiter that no record has; what that names is no column. And it may lack a name for the
first field, as R writes row names; they are read where the contract declares a column `row_names`, since nothing else
tells them from a last field without a name.
"""

from itertools import accumulate

from lastmile.contracts.contract import Contract
from lastmile.contracts.names import normal_name
from lastmile.ingestion.readers.delimited.records import Dialect
from lastmile.ingestion.readers.delimited.sample import Sample
from lastmile.ingestion.readers.header import PREAMBLE, TALLEST, Heading, find_heading
from lastmile.ingestion.validation.header_match import fit

#: Records that a preamble may have; its lines may be as many as a questionnaire or a licence has.
LONG_PREAMBLE = 200
#: Records read in every dialect that fits, to compare them; of wide ones fewer, by so many cells, but never less than
#: the last.
SAMPLE, SAMPLE_CELLS, LEAST = 1_000, 250_000, 100
#: What the column is called that has no name because it has the names of the rows.
ROW_NAMES = "row_names"


def header_of(sample: Sample, dialect: Dialect, contract: Contract) -> Heading | None:
    """The header that fits the contract; None where there is none.

    Raises Refused where it has more columns than the contract's limit, or reads in two ways.
    """
    first = _rows(sample, dialect, PREAMBLE + 1)
    if heading := _with_row_names(first, sample, dialect, contract):
        return heading
    heading = _not_a_title(find_heading(first, contract), first, contract)
    if heading is None and len(first) > PREAMBLE and not contract.format.headerless:
        heading = _below_preamble(_rows(sample, dialect, LONG_PREAMBLE + 1), contract)
    return heading and _without_last(heading, sample, dialect, contract)


def records_behind(heading: Heading, sample: Sample, dialect: Dialect) -> list[list[str] | None]:
    """The first records behind the header, but for those of empty fields only; None for one badly quoted."""
    first = heading.position + 1
    most = max(LEAST, min(SAMPLE, SAMPLE_CELLS // len(heading.names)))
    rows = sample.rows(dialect, first + most)[first:]
    return [row for row in rows if row is None or any(row)]


def lines_of(heading: Heading, sample: Sample, dialect: Dialect) -> list[list[str]]:
    """The records of a header that takes several; none where it is one record."""
    rows = _rows(sample, dialect, heading.position + 1)[-TALLEST:]
    names = heading.names[heading.names[0] == ROW_NAMES and len(rows[-1]) < len(heading.names) :] if rows else []
    if all(_is_named(*pair) for pair in zip(enumerate(rows[-1] if rows else ()), names, strict=False)):
        return []
    return [row for row in rows if all(any(cell.strip() in name for name in names) for cell in row)]


def _is_named(cell: tuple[int, str], name: str) -> bool:
    """Whether a header of one record has this cell for the name, which is told from equal ones by its place."""
    place, text = cell[0], cell[1].strip()
    return name.strip().startswith(text) if text else name.rstrip(")").endswith(str(place + 1))


def _rows(sample: Sample, dialect: Dialect, most: int) -> list[list[str]]:
    return [row or [] for row in sample.rows(dialect, most)]


def _not_a_title(heading: Heading | None, rows: list[list[str]], contract: Contract) -> Heading | None:
    """The header below, if what was found is a title that happens to be a name: one filled field, where it has more."""
    if heading is None or contract.format.headerless or _filled(rows[heading.position]) > 1:
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


def _without_last(heading: Heading, sample: Sample, dialect: Dialect, contract: Contract) -> Heading:
    """Without the empty name behind a delimiter at the header's end that none of the records has."""
    width = len(heading.names)
    last = sample.rows(dialect, heading.position + 1)[-1] if heading.position >= 0 else None
    if width < 2 or not last or last[-1].strip() or heading.names[-1] in fit(contract, heading.names)[0].values():
        return heading
    widths = {len(row) for row in records_behind(heading, sample, dialect) if row}
    return Heading(heading.names[:-1], heading.position) if widths and max(widths) == width - 1 else heading


def _with_row_names(rows: list[list[str]], sample: Sample, dialect: Dialect, contract: Contract) -> Heading | None:
    """The header and the name it lacks, where the contract declares that and all records have one field more."""
    if contract.format.headerless or not _declares_row_names(contract):
        return None
    heading = find_heading(([ROW_NAMES, *row] for row in rows), contract)
    if heading is None:
        return None
    widths = {len(row) for row in records_behind(heading, sample, dialect) if row}
    return heading if widths == {len(heading.names)} else None


def _declares_row_names(contract: Contract) -> bool:
    names = (name for column in contract.columns for name in (column, *contract.metadata(column)["aliases"]))
    return ROW_NAMES in map(normal_name, names)
