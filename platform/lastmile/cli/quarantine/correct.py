"""`lastmile quarantine correct`: give quarantined rows the values they should have had, and load them."""

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lastmile.cli.connection import opened
from lastmile.cli.options import Wait, Yes, agreed
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.ingestion.correction import StillBroken
    from lastmile.quarantine.corrections import Correction

_SHOWN = 20


def correct(
    why: Annotated[str, typer.Option(help="The reason, kept with the correction.")],
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV as `export` writes it, with texts changed under `raw`, or columns added by name."),
    ] = None,
    drop: Annotated[int | None, typer.Option(help="Instead of a file: one row of this drop.")] = None,
    line: Annotated[int | None, typer.Option(help="Its line.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="A value of it; give it again for more.", metavar="COLUMN=VALUE")
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who corrects (default: the user of this machine)")] = None,
    yes: Yes = False,
    wait: Wait = True,
) -> None:
    """Correct quarantined rows: rows that are valid with their new values are loaded with the drop's other rows.

    Values are written as in the drop's file. Who corrected what, when and why is kept with the text as it arrived, and
    applied again whenever the drop is re-ingested. Rows that would still break the contract are shown and not changed;
    the exit code is then 1.

    Example: lastmile quarantine correct --drop 12 --line 3 --set hh_size_members=6 --why "called the household"
    """
    from lastmile.cli.progress.reingest import await_results
    from lastmile.contracts.loading import load_contracts
    from lastmile.ingestion.correction import correct as record_corrections

    settings, console = Settings.from_environment(), Console()
    wanted = _wanted(file, drop, line, values)
    agreed(f"Correct {len(wanted):,} rows where they were changed?", yes)
    with opened(settings) as (connection, store):
        contracts = load_contracts(settings.assets)
        done = record_corrections(connection, store, contracts, wanted, who or getpass.getuser(), why)
    _print_refused(console, done.refused)
    number = sum(map(len, done.lines.values()))
    console.print(f"corrected: {number:,} of {len(wanted):,} rows", highlight=False)
    succeeded = await_results(settings, console, done.requested) if wait and done.requested else True
    if done.refused or not succeeded:
        raise typer.Exit(1)


def _wanted(file: Path | None, drop: int | None, line: int | None, values: Sequence[str] | None) -> "list[Correction]":
    from lastmile.quarantine.corrections import Correction, read_corrections

    if file is not None:
        if drop is not None or line is not None or values:
            raise UserError("give either a file, or --drop, --line and --set")
        return read_corrections(file)
    if drop is None or line is None or not values:
        raise UserError("say which row, and its values: a file, or --drop, --line and --set COLUMN=VALUE")
    cells = dict(_cell(text) for text in values)
    return [Correction(drop, line, cells)]


def _cell(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UserError(f"--set {text!r}: expected COLUMN=VALUE")
    return name, value


def _print_refused(console: Console, refused: "Sequence[StillBroken]") -> None:
    for row in refused[:_SHOWN]:
        reasons = "; ".join(row.reasons)
        console.print(f"not corrected: drop {row.drop}, line {row.line}: {reasons}", markup=False, highlight=False)
    if len(refused) > _SHOWN:
        console.print(f"... and {len(refused) - _SHOWN:,} more rows that still break their contract")
