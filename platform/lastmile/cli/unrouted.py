"""`lastmile unrouted`: what lies in the landing area where no contract expects it, and moving it to where one does."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson
from lastmile.settings import Settings

unrouted = typer.Typer(
    help="Files in the landing area that fit no contract: list them, move them to a dataset and partition.",
    no_args_is_help=True,
)


@unrouted.command("list")
def list_unrouted(as_json: AsJson = False) -> None:
    """Show each file with the reason, and the dataset that is most like it.

    Example: lastmile unrouted list
    """
    from lastmile.contracts.loading import load_contracts
    from lastmile.ingestion.discovery.unrouted import nearest
    from lastmile.ledger.unrouted import unrouted as find

    settings = Settings.from_environment()
    contracts = load_contracts(settings.assets)
    with opened(settings) as (connection, store):
        found = [(one, nearest(one, contracts)) for one in find(connection, store.url)]
    if as_json:
        print(json.dumps([{**asdict(one), "nearest": dataset} for one, dataset in found], default=str))
        return
    for one, dataset in found:
        hint = (
            f"\n  perhaps {dataset}: lastmile unrouted move '{one.key}' --to {dataset}/<partition>" if dataset else ""
        )
        Console().print(f"{one.key}\n  {one.message}{hint}", markup=False, highlight=False, soft_wrap=True)
    if not found:
        print("everything in the landing area fits a contract")


@unrouted.command()
def move(
    keys: Annotated[list[str], typer.Argument(help="Keys as `lastmile unrouted list` shows them.")],
    to: Annotated[str, typer.Option(help="Dataset and partition, such as hhinfo/2020.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be moved.")] = False,
) -> None:
    """Move files to a dataset and partition, where the sensor finds them.

    Example: lastmile unrouted move landing/hhinfoo/2020/a.csv --to hhinfo/2020 --dry-run
    """
    from lastmile.contracts.loading import load_contracts
    from lastmile.ingestion.discovery import unrouted as moving

    settings = Settings.from_environment()
    with opened(settings) as (connection, store):
        moves = moving.planned(connection, store, load_contracts(settings.assets), keys, to)
        for key, target in moves.items():
            print(f"{key} -> {target}")
        if not dry_run:
            print(f"moved {moving.move(connection, store, moves)} of {len(moves)}")
