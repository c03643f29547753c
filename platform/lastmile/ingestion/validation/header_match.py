"""Which column of the contract each header of a drop stands for."""

from collections.abc import Sequence

from lastmile.contracts.contract import Contract
from lastmile.contracts.declaration import headers
from lastmile.contracts.names import normal_name
from lastmile.contracts.patterns import fitting
from lastmile.ingestion.batch import Refused, SchemaChange

#: How many names a message lists, and how much of each.
LISTED, SHOWN = 40, 60


def fit(contract: Contract, header: Sequence[str]) -> tuple[dict[str, str], SchemaChange]:
    """Header as found by contract column, and how the header differs. Order and case never matter.

    Raises Refused where a required column is missing, two headers fit one column, none fits any, one holds a NUL
    character, or there are unknown ones and the contract refuses them.
    """
    with_nul = [name for name in header if "\0" in name]
    if with_nul:
        raise Refused(
            f"dataset {contract.name}: headers {listed(with_nul)} hold NUL characters. Write the file as text."
        )
    _refuse_missing_patterns(contract, header)
    contract = contract.expanded(header)
    columns = {normal_name(name): column for name, column in headers(contract.columns)}
    found: dict[str, str] = {}
    for name in header:
        column = columns.get(normal_name(name))
        if column in found:
            raise Refused(
                f"dataset {contract.name}: headers {found[column]!r} and {name!r} both fit column {column!r}. "
                "Rename or remove one of them in the file."
            )
        if column is not None:
            found[column] = name
    change = _change(contract, header, found)
    _refuse_misfits(contract, header, found, change)
    return found, change


def _refuse_missing_patterns(contract: Contract, header: Sequence[str]) -> None:
    names = list(map(normal_name, header))
    missing = [pattern for pattern, spec in contract.patterns.items() if spec.required and not fitting(pattern, names)]
    if missing:
        raise Refused(
            f"dataset {contract.name}: expected columns whose names fit {missing}; the file has {listed(header)}. Add "
            "them to the file, or make the pattern wider in the contract."
        )


def _change(contract: Contract, header: Sequence[str], found: dict[str, str]) -> SchemaChange:
    known = set(found.values())
    return SchemaChange(
        added=[name for column, name in found.items() if contract.metadata(column)["added"]],
        rescued=[name for name in header if name not in known],
        missing=[column for column in contract.columns if column not in found],
        renamed={name: column for column, name in found.items() if normal_name(name) != normal_name(column)},
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
