"""Which record of a file is its header: the first that the contract can live with."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lastmile.contract import Contract, normal_name
from lastmile.intake.batch import Refused
from lastmile.intake.validating.header import fit

#: Records before the header that may be titles, notes and the like; the header is looked for no further.
PREAMBLE = 20
#: A table of survey data has hundreds of columns; Postgres takes 1,600 in a table.
MOST_COLUMNS = 5_000
#: How much of a wrong header a message repeats.
SHOWN_NAMES, SHOWN_CHARACTERS = 60, 60


@dataclass(frozen=True)
class Heading:
    """A header and its 0-based place among the file's records."""

    names: list[str]
    position: int


def find_heading(records: Iterable[Sequence[str]], contract: Contract) -> Heading | None:
    """The first of the records that fits the contract: every required column is there, and at least one it knows.

    Raises Refused where one has more columns than `MOST_COLUMNS`.
    """
    for position, names in enumerate(records):
        if fits(names, contract):
            return Heading(named(names, contract), position)
    return None


def fits(names: Sequence[str], contract: Contract) -> bool:
    if len(names) < len(contract.required()):
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
            f"quoted and has at most {MOST_COLUMNS:,} columns."
        )
    nearest = max(split, key=lambda names: (len(known & set(map(normal_name, names))), len(names) > 1))
    try:
        fit(contract, [name[:SHOWN_CHARACTERS] for name in nearest[:SHOWN_NAMES]])
    except Refused as refused:
        return refused
    return Refused(f"dataset {contract.name}: expected a header, found {list(nearest[:SHOWN_NAMES])}.")


def named(names: Sequence[str], contract: Contract) -> list[str]:
    """The names with those that are empty or repeated told apart by their 1-based position, as `note (7)`.

    Repeated ones are always unknown to the contract: two that fit one of its columns are refused before.
    """
    if len(names) > MOST_COLUMNS:
        raise Refused(f"dataset {contract.name}: expected at most {MOST_COLUMNS:,} columns, found {len(names):,}.")
    times = Counter(names)
    unique = [
        name if name and times[name] == 1 else f"{name or 'column'} ({position})"
        for position, name in enumerate(names, 1)
    ]
    if len(set(unique)) < len(unique) or fit(contract, unique)[0] != fit(contract, names)[0]:
        raise Refused(
            f"dataset {contract.name}: columns of one name cannot be told apart in {list(names)}. Rename them."
        )
    return unique


def _aliases(contract: Contract) -> list[str]:
    return [alias for column in contract.columns for alias in contract.metadata(column).get("aliases", ())]
