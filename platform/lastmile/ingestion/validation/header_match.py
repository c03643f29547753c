"""Which column of the contract each header of a drop stands for."""

from collections.abc import Sequence

from lastmile.contracts.contract import Contract
from lastmile.contracts.headers import distinguished, made_up
from lastmile.contracts.names import normal_name
from lastmile.contracts.patterns import fitting
from lastmile.ingestion.batch import Refused, SchemaChange

#: How many names a message lists, and how much of each.
LISTED, SHOWN = 40, 60


def fit(contract: Contract, header: Sequence[str]) -> tuple[dict[str, str], SchemaChange]:
    """Header as found by contract column, and how the header differs. Order and case never matter.

    Names that are repeated or empty are found as `distinguished` names them. Raises Refused where a required column is
    missing, two headers fit one column, none fits any, one holds a NUL character, or there are unknown ones and the
    contract refuses them.
    """
    with_nul = [name for name in header if "\0" in name]
    if with_nul:
        raise Refused(
            f"dataset {contract.name}: headers {listed(with_nul)} hold NUL characters. Write the file as text."
        )
    names = list(header) if len(set(header)) == len(header) else distinguished(header)
    invented = made_up(names)
    own = [name for name in names if name not in invented]
    _refuse_missing_patterns(contract, own)
    contract = contract.expanded(own)
    found: dict[str, str] = {}
    for column, places in claims(contract, header).items():
        if len(places) > 1:
            raise _claimed_twice(contract, column, header, places)
        found[column] = names[places[0]]
    change = _change(contract, names, found)
    _refuse_misfits(contract, names, found, change)
    return found, change


def claims(contract: Contract, header: Sequence[str]) -> dict[str, list[int]]:
    """The 0-based places of the headers that stand for each column of the contract, in the file's order.

    A repeated one stands for what its distinguished name is declared as, or else for the same as the first.
    """
    names = distinguished(header)
    invented = made_up(names)
    found: dict[str, list[int]] = {}
    for place, (written, name) in enumerate(zip(header, names, strict=True)):
        if name in invented:
            column = contract.headers.exact.get(name) or (None if written == name else contract.headers.column(written))
        else:
            column = contract.headers.column(name)
        if column is not None:
            found.setdefault(column, []).append(place)
    return found


def _claimed_twice(contract: Contract, column: str, header: Sequence[str], places: Sequence[int]) -> Refused:
    shown = places[:LISTED]
    them = " and ".join(repr(header[place][:SHOWN]) for place in shown)
    where = " and ".join(str(place + 1) for place in shown)
    return Refused(
        f"dataset {contract.name}: headers {them} (columns {where} of the file) both fit column {column!r}. Rename or "
        "remove one of them in the file."
    )


def _refuse_missing_patterns(contract: Contract, header: Sequence[str]) -> None:
    if not contract.patterns:
        return
    names = list(map(normal_name, header))
    missing = [pattern for pattern, spec in contract.patterns.items() if spec.required and not fitting(pattern, names)]
    if missing:
        raise Refused(
            f"dataset {contract.name}: expected columns whose names fit {missing}; the file has {listed(header)}. Add "
            "them to the file, or make the pattern wider in the contract."
        )


def _change(contract: Contract, header: Sequence[str], found: dict[str, str]) -> SchemaChange:
    known = set(found.values())
    added = {column: name for column, name in found.items() if contract.metadata(column)["added"]}
    return SchemaChange(
        added=list(added.values()),
        rescued=[name for name in header if name not in known],
        missing=[column for column in contract.columns if column not in found],
        renamed={name: column for column, name in found.items() if name != column and column not in added},
        reordered=list(found) != [column for column in contract.columns if column in found],
    )


def _refuse_misfits(contract: Contract, header: Sequence[str], found: dict[str, str], change: SchemaChange) -> None:
    missing = [column for column in contract.required() if column not in found]
    if missing:
        raise Refused(
            f"dataset {contract.name}: required columns {missing} are missing; the file has {listed(header)}. "
            "Add them to the file, or, if they go by another name there, to the `aliases` in the contract."
        )
    if not found:
        raise Refused(
            f"dataset {contract.name}: expected columns such as {list(contract.columns)[:10]}; the file has "
            f"{listed(header)}, none of them. Check that it is a file of this dataset and has a header."
        )
    if change.rescued and contract.policy.unknown_columns == "refuse":
        raise Refused(
            f"dataset {contract.name}: unknown columns {listed(change.rescued)}, and the contract refuses them. "
            "Remove them from the file, or declare them in the contract."
        )


def listed(names: Sequence[str]) -> str:
    """Names as a message shows them: of very many or very long ones the beginning."""
    shown = [name if len(name) <= SHOWN else f"{name[:SHOWN]}…" for name in names[:LISTED]]
    return f"{shown}" if len(names) <= LISTED else f"{shown} and {len(names) - LISTED:,} more"
