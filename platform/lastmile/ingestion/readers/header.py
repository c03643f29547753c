"""Which record of a file is its header: the first that the contract can live with.

A header may take two or three records, as where `Travel` stands above `Air` and `Rail`: then a column's name is what
stands above each other, joined by blanks, and a name above holds for the empty cells right of it or does not, whichever
gives names that the contract knows. Names that are repeated are distinguished by their place: `x (2)`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, zip_longest

from lastmile.contracts.contract import Contract
from lastmile.contracts.names import normal_name
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.validation.header_match import fit

#: Records before the header that may be titles, notes and the like; the header is looked for no further.
PREAMBLE = 20
#: How many records a header may take.
TALLEST = 3
#: How much of a wrong header a message repeats.
SHOWN_NAMES, SHOWN_CHARACTERS = 60, 60


@dataclass(frozen=True)
class Heading:
    """A header and the 0-based place of its last record among the file's; -1 where the file has none."""

    names: list[str]
    position: int


def find_heading(records: Iterable[Sequence[str]], contract: Contract) -> Heading | None:
    """The first of the records that fits the contract: every required column is there, and at least one it knows.

    Records stacked on each other are a header where none is by itself, or where they name more of the contract's
    columns than the one they include. Where the contract says that drops may have no header, they have one only if it
    is the first record. Raises Refused where one has more columns than the contract's limit.
    """
    rows = [list(names) for names in records]
    if contract.format.headerless and not (rows and _fitting(rows[0], contract)):
        return _declared(rows, contract)
    single = next((place for place, names in enumerate(rows) if _fitting(names, contract)), None)
    if single is None:
        return _best(list(_stacks(rows, contract, range(len(rows)))), contract)
    heading = Heading(named(_fitting(rows[single], contract), contract), single)
    if _knows_all(heading.names, contract):
        return heading
    around = range(max(0, single - TALLEST + 1), single + 1)
    taller = [stack for stack in _stacks(rows, contract, around) if stack.position >= single]
    best = _best(taller, contract)
    return best if best and _known(best.names, contract) > _known(heading.names, contract) else heading


def _declared(rows: Sequence[Sequence[str]], contract: Contract) -> Heading | None:
    names = list(contract.columns)
    return Heading(names, -1) if any(0 < len(row) <= len(names) for row in rows) else None


def _knows_all(names: Sequence[str], contract: Contract) -> bool:
    return _known(names, contract) >= min(len(names), len(contract.columns))


def _known(names: Sequence[str], contract: Contract) -> int:
    return len(fit(contract, names)[0])


def _fitting(names: list[str], contract: Contract) -> list[str]:
    """The names, or those distinguished by their place, if they fit; else none."""
    return next((these for these in (names, distinguished(names)) if fits(these, contract)), [])


def _stacks(rows: Sequence[list[str]], contract: Contract, starts: Iterable[int]) -> Iterator[Heading]:
    """Headers of several records, the shorter first; of the two ways to carry names, both where they differ."""
    for start in starts:
        for height in range(2, TALLEST + 1):
            above, last = rows[start : start + height - 1], rows[start + height - 1 : start + height]
            for carried in (False, True):
                names = _joined([*(_carried(above, last) if carried else above), *last]) if last else []
                if fitting := _fitting(names, contract):
                    yield Heading(named(fitting, contract), start + height - 1)


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
    known = {normal_name(name) for name in (*contract.columns, *_aliases(contract))}
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
            f"dataset {contract.name}: expected records of {len(declared)} fields, {declared[:SHOWN_NAMES]}, or a "
            f"header first; found {list(split[0][:SHOWN_NAMES])}. Send the columns as declared, or with a header."
        )
    nearest = max(split, key=lambda names: (len(known & set(map(normal_name, names))), len(names) > 1))
    try:
        fit(contract, [name[:SHOWN_CHARACTERS] for name in nearest[:SHOWN_NAMES]])
    except Refused as refused:
        return refused
    return Refused(
        f"dataset {contract.name}: expected a header, found {list(nearest[:SHOWN_NAMES])}. "
        "Name the columns in the first line."
    )


def named(names: Sequence[str], contract: Contract) -> list[str]:
    """The names with those that are empty or repeated distinguished by their 1-based position, as `note (7)`.

    Repeated ones are always unknown to the contract: two that fit one of its columns are refused before.
    """
    if len(names) > contract.limits.columns:
        raise too_wide(len(names), contract)
    unique = distinguished(names)
    if len(set(unique)) < len(unique) or fit(contract, unique)[0] != fit(contract, names)[0]:
        raise Refused(
            f"dataset {contract.name}: columns of one name cannot be distinguished in {list(names)[:SHOWN_NAMES]}. "
            "Rename them."
        )
    return unique


def too_wide(columns: int, contract: Contract) -> Refused:
    return Refused(
        f"dataset {contract.name}: expected at most {contract.limits.columns:,} columns, found {columns:,} or more. "
        "Raise limits.columns in the contract if this is meant."
    )


def distinguished(names: Sequence[str]) -> list[str]:
    times = Counter(names)
    return [
        name if name and times[name] == 1 else f"{name or 'column'} ({position})"
        for position, name in enumerate(names, 1)
    ]


def _aliases(contract: Contract) -> list[str]:
    return [alias for column in contract.columns for alias in contract.metadata(column)["aliases"]]
