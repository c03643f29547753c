"""Which column of the contract each header of a drop stands for."""

from collections.abc import Sequence

from lastmile.contract import Contract, normal_name
from lastmile.intake.batch import Refused, SchemaChange


def fit(contract: Contract, header: Sequence[str]) -> tuple[dict[str, str], SchemaChange]:
    """Header as found by contract column, and how the header differs. Order and case never matter.

    Raises Refused where a required column is missing, two headers fit one column, none fits any, one holds a NUL
    character, or there are unknown ones and the contract refuses them.
    """
    if any("\0" in name for name in header):
        raise Refused(f"dataset {contract.name}: headers {list(header)} hold NUL characters. Write the file as text.")
    columns = _columns_by_normal_name(contract)
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


def _columns_by_normal_name(contract: Contract) -> dict[str, str]:
    aliases = {
        normal_name(alias): column
        for column in contract.columns
        for alias in contract.metadata(column).get("aliases", ())
    }
    return aliases | {normal_name(column): column for column in contract.columns}


def _change(contract: Contract, header: Sequence[str], found: dict[str, str]) -> SchemaChange:
    known = set(found.values())
    return SchemaChange(
        unknown=[name for name in header if name not in known],
        missing=[column for column in contract.columns if column not in found],
        renamed={name: column for column, name in found.items() if normal_name(name) != normal_name(column)},
        reordered=list(found) != [column for column in contract.columns if column in found],
    )


def _refuse_misfits(contract: Contract, header: Sequence[str], found: dict[str, str], change: SchemaChange) -> None:
    missing = [column for column in contract.required() if column not in found]
    if missing:
        raise Refused(
            f"dataset {contract.name}: required columns {missing} are missing; the file has {list(header)}. "
            "Add them to the file, or, if they go by another name there, to the `aliases` in the contract."
        )
    if not found:
        raise Refused(
            f"dataset {contract.name}: expected columns such as {list(contract.columns)[:10]}; the file has "
            f"{list(header)}, none of them. Check that it is a file of this dataset and has a header."
        )
    if change.unknown and contract.unknown_columns == "refuse":
        raise Refused(
            f"dataset {contract.name}: unknown columns {list(change.unknown)}, and the contract refuses them. "
            "Remove them from the file, or declare them in the contract."
        )
