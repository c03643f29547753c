"""Which record of a file is its header: the first that the contract can live with.

A header may take two or three records, as where `Travel` stands above `Air` and `Rail`: then a column's name is what
stands above each other, joined by blanks, and a name above holds for the empty cells right of it or does not, whichever
gives names that the contract knows. No record that could be one of the data is ever joined to a header.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest

from lastmile.contracts.contract import Contract
from lastmile.contracts.headers import distinguished
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.validation.header_match import claims, fit, listed

#: Records before the header that may be titles, notes and the like; the header is looked for no further.
PREAMBLE = 20
#: How many records a header may take.
TALLEST = 3
#: How many names of a wrong header a message repeats.
SHOWN_NAMES = 60


@dataclass(frozen=True)
class Heading:
    """A header and the 0-based place of its last record among the file's; -1 where the file has none."""

    names: list[str]
    position: int


def find_heading(records: Iterable[Sequence[str]], contract: Contract) -> Heading | None:
    """The first of the records that fits the contract: every required column is there, and at least one it knows.

    Records stacked on each other are a header where none is by itself, or where they name more of the contract's
    columns than the one they include. Where the contract says that drops may have no header, they have one only if it
    is the first record. Raises Refused where one has more columns than the contract's limit, or where a record may be
    a part of the header or not.
    """
    rows = [list(names) for names in records]
    if contract.format.headerless and not (rows and fits(rows[0], contract)):
        return _declared(rows, contract)
    found = (place for place, names in enumerate(rows) if fits(names, contract) or _has_one_twice(names, contract))
    single = next(found, len(rows))
    if single == len(rows) or not fits(rows[single], contract):
        return _best(list(_stacks(rows[:single], contract, range(single))), contract)
    heading = Heading(named(rows[single], contract), single)
    if knows_all(heading.names, contract):
        return heading
    around = range(max(0, single - TALLEST + 1), single + 1)
    taller = [stack for stack in _stacks(rows, contract, around) if stack.position >= single]
    best = _best(taller, contract)
    if best is None or _known(best.names, contract) <= _known(heading.names, contract):
        return heading
    for below in rows[single + 1 : best.position + 1]:
        _expect_no_record(below, rows[single], best, contract)
    return best


def _has_one_twice(names: Sequence[str], contract: Contract) -> bool:
    """Whether it would be the header if it did not name one of the contract's columns twice."""
    found = claims(contract.expanded(names), names)
    return any(len(places) > 1 for places in found.values()) and set(contract.required()) <= set(found)


def _expect_no_record(below: Sequence[str], above: Sequence[str], joined: Heading, contract: Contract) -> None:
    """Raises Refused unless the record below a header can only continue it: it makes a column that the contract knows
    of one that has no name there, and is empty under all that are known, of which one needs a value."""
    known = {place: column for column, places in claims(contract, above).items() for place in places}
    filled = {place for place, text in enumerate(below) if text.strip()}
    nameless = {place for place in filled if not (*above, *[""] * len(below))[place].strip()}
    gained = {place for places in claims(contract, joined.names).values() for place in places}
    needs_a_value = any(not contract.columns[column].nullable for column in known.values())
    if not nameless & gained or filled & set(known) or not needs_a_value:
        raise Refused(
            f"dataset {contract.name}: {listed(below)} may be a record or the end of a header of several "
            f"lines, {listed(joined.names)}. Write the header in one line."
        )


def _declared(rows: Sequence[Sequence[str]], contract: Contract) -> Heading | None:
    names = list(contract.columns)
    return Heading(names, -1) if any(0 < len(row) <= len(names) for row in rows) else None


def knows_all(names: Sequence[str], contract: Contract) -> bool:
    """Whether a header that fits has every column of the contract, or no other."""
    return _known(names, contract) >= min(len(names), len(contract.columns))


def _known(names: Sequence[str], contract: Contract) -> int:
    return len(fit(contract, names)[0])


def _stacks(rows: Sequence[list[str]], contract: Contract, starts: Iterable[int]) -> Iterator[Heading]:
    """Headers of several records, the shorter first; of the two ways to carry names, both where they differ."""
    for start in starts:
        for height in range(2, TALLEST + 1):
            above, last = rows[start : start + height - 1], rows[start + height - 1 : start + height]
            for carried in (False, True):
                names = _joined([*(_carried(above, last) if carried else above), *last]) if last else []
                if fits(names, contract) and all(_keeps(names, row, contract) for row in above):
                    yield Heading(named(names, contract), start + height - 1)


def _keeps(joined: Sequence[str], above: Sequence[str], contract: Contract) -> bool:
    """Whether what names a column of the contract by itself still does with what stands below it: a record below a
    header makes names of it that are not declared."""
    before, after = (claims(contract, names).values() for names in (above, joined))
    return {place for places in before for place in places} <= {place for places in after for place in places}


def _carried(above: Iterable[list[str]], last: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """The rows with every name repeated in the empty cells right of it, to the width of the last."""
    width = max(map(len, last))
    for row in above:
        padded = row + [""] * (width - len(row))
        carried: Iterator[str] = accumulate(padded, lambda before, name: name if name.strip() else before)
        yield list(carried)


def _joined(rows: Iterable[Sequence[str]]) -> list[str]:
    return [" ".join(filter(None, map(str.strip, names))) for names in zip_longest(*rows, fillvalue="")]


def _best(stacks: Sequence[Heading], contract: Contract) -> Heading | None:
    """The first that names most of the contract's columns. Raises Refused where two of them place those apart."""
    if not stacks:
        return None
    best = max(stacks, key=lambda stack: _known(stack.names, contract))
    for other in stacks:
        if other.position == best.position and _known(other.names, contract) == _known(best.names, contract):
            mine, others = (_places(stack.names, contract) for stack in (best, other))
            if mine != others:
                raise Refused(
                    f"dataset {contract.name}: the header of several lines reads as {best.names} or as {other.names}, "
                    "and both fit. Write it in one line."
                )
    return best


def _places(names: Sequence[str], contract: Contract) -> dict[str, int]:
    return {column: names.index(name) for column, name in fit(contract, names)[0].items()}


def fits(names: Sequence[str], contract: Contract) -> bool:
    if len(names) < len(contract.required()) or not names:
        return False
    try:
        fit(contract, names)
    except Refused:
        return False
    return True


def refusal(candidates: Iterable[Sequence[str]], contract: Contract) -> Refused:
    """Why none of the candidates is the header, said of the one that comes nearest."""
    split = [names for names in candidates if names]
    if not split:
        return Refused(
            f"dataset {contract.name}: expected a header among the first {PREAMBLE} records, found none that is well "
            f"quoted and has at most {contract.limits.columns:,} columns. Raise limits.columns in the contract if "
            "there are more."
        )
    if contract.format.headerless:
        declared = list(contract.columns)
        return Refused(
            f"dataset {contract.name}: expected records of {len(declared)} fields, {listed(declared)}, or a "
            f"header first; found {listed(split[0])}. Send the columns as declared, or with a header."
        )
    nearest = max(split, key=lambda names: (len(claims(contract, names)), len(names) > 1))
    try:
        fit(contract, nearest)
    except Refused as refused:
        return refused
    return Refused(
        f"dataset {contract.name}: expected a header, found {listed(nearest)}. Name the columns in the first line."
    )


def named(names: Sequence[str], contract: Contract) -> list[str]:
    """The names of a header that fits, with those that are empty or repeated distinguished.

    Raises Refused where there are too many, or two fit one column of the contract.
    """
    if len(names) > contract.limits.columns:
        raise too_wide(len(names), contract)
    fit(contract, names)
    return distinguished(names)


def too_wide(columns: int, contract: Contract) -> Refused:
    return Refused(
        f"dataset {contract.name}: expected at most {contract.limits.columns:,} columns, found {columns:,} or more. "
        "Raise limits.columns in the contract if this is meant."
    )
