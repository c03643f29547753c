"""`lastmile rescued`: values that no column could hold, and filling them in once a column can."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson, Dataset, Wait
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.contracts.contract import Contract
    from lastmile.ingestion.schema_evolution.rescued_values import RescuedName

rescued = typer.Typer(
    help="List the values that no column could hold; fill them in once the contract has one.", no_args_is_help=True
)


@rescued.command("list")
def overview(dataset: Dataset = None, as_json: AsJson = False) -> None:
    """List what is rescued, by the name it arrived under, and the column that can hold it by now.

    Example: lastmile rescued list --dataset hhinfo
    """
    from lastmile.contracts.lookup import contract_of
    from lastmile.ingestion.schema_evolution.rescued_values import rescued_names
    from lastmile.warehouse.tables import ensure_table

    contracts = _contracts()
    chosen = contracts if dataset is None else {dataset: contract_of(dataset, contracts)}
    found: dict[str, list[RescuedName]] = {}
    with opened(Settings.from_environment()) as (connection, _):
        for name, contract in chosen.items():
            ensure_table(connection, contract)
            found[name] = rescued_names(connection, contract)
    if as_json:
        print(json.dumps({name: [asdict(one) for one in names] for name, names in found.items()}))
        return
    _print(Console(), found)


@rescued.command()
def fill(
    dataset: Annotated[str, typer.Option(help="The dataset.")],
    column: Annotated[
        list[str] | None, typer.Option(help="Only this column; give it again for more (default: all that can be)")
    ] = None,
    wait: Wait = True,
) -> None:
    """Fill columns of loaded rows in from what was rescued, as though the contract had always had them.

    A value that does not fit stays rescued, with the reason. A running platform does it at once; where none runs, one
    is started for it. What is downstream of the rows is made anew. Doing it again changes nothing.

    Example: lastmile rescued fill --dataset hhinfo --column roof_material
    """
    from lastmile.cli.progress.reingest import await_results
    from lastmile.contracts.lookup import contract_of
    from lastmile.ingestion.schema_evolution.rescued_values import request_fill
    from lastmile.warehouse.tables import ensure_table

    settings, console = Settings.from_environment(), Console()
    contract = contract_of(dataset, _contracts())
    wanted = _fillable(contract, column)
    with opened(settings) as (connection, store):
        ensure_table(connection, contract)
        requested = request_fill(connection, store.url, contract, wanted)
    if not requested:
        console.print(
            f"nothing to fill in: no loaded row of {dataset} has a rescued value for {_named(wanted, column)}"
        )
        return
    console.print(f"column fill requested for {len(requested):,} drops", highlight=False)
    if wait and not await_results(settings, console, requested):
        raise typer.Exit(1)


def _contracts() -> "dict[str, Contract]":
    from lastmile.contracts.loading import load_contracts

    return load_contracts(Settings.from_environment().assets)


def _fillable(contract: "Contract", columns: Sequence[str] | None) -> list[str]:
    """The columns to fill in. Raises UserError for one that is not declared, or that is part of the key."""
    for name in columns or ():
        if name not in contract.columns:
            raise UserError(f"the contract of {contract.name} has no column {name!r}: declare it there first")
        if name in contract.key:
            raise UserError(
                f"column {name} is part of the key of {contract.name}, which identifies loaded rows: re-ingest the"
                f" drops instead, with `lastmile backfill --dataset {contract.name} --redo`"
            )
    return list(columns or (name for name in contract.columns if name not in contract.key))


def _named(wanted: Sequence[str], columns: Sequence[str] | None) -> str:
    return ", ".join(wanted) if columns else "a column that its contract declares"


def _print(console: Console, found: "Mapping[str, list[RescuedName]]") -> None:
    table = Table("dataset", "name", "drops", "rows", "examples", "column now")
    for dataset, names in found.items():
        for one in names:
            shown = ", ".join(one.examples)
            table.add_row(dataset, one.name, f"{one.drops:,}", f"{one.rows:,}", shown, one.column or "not declared")
    if not table.row_count:
        console.print("nothing is rescued")
        return
    console.print(table)
    for dataset in [dataset for dataset, names in found.items() if any(one.column for one in names)]:
        console.print(f"fill in what is declared by now with `lastmile rescued fill --dataset {dataset}`")
