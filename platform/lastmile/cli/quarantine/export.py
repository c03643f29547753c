"""`lastmile quarantine export`: what is quarantined as files, to be corrected."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lastmile.cli.connection import opened
from lastmile.cli.options import Dataset
from lastmile.cli.quarantine.selection import Column, Drop, Partition, Rule
from lastmile.errors import UserError
from lastmile.settings import Settings


def export(
    to: Annotated[
        Path | None, typer.Option("--to", help="File for the rows; its name ends in .csv, .jsonl or .parquet.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--drops", help="Folder for copies of the drops quarantined whole.")
    ] = None,
    dataset: Dataset = None,
    partition: Partition = None,
    drop: Drop = None,
    rule: Rule = None,
    column: Column = None,
) -> None:
    """Write quarantined rows to a file: drop, file, line, kind, reasons, raw text; copy quarantined drops to a folder.

    Example: lastmile quarantine export --dataset hhinfo --to bad-rows.csv
    """
    from lastmile.quarantine import query
    from lastmile.quarantine.export import export_drops, export_rows
    from lastmile.quarantine.selection import check

    if to is None and folder is None:
        raise UserError("say where to: --to FILE for rows, --drops FOLDER for drops quarantined whole, or both")
    console = Console()
    with opened(Settings.from_environment()) as (connection, store):
        selection = query.Selection(dataset, partition, drop, rule, column, store=store.url)
        check(connection, selection)
        if to is not None:
            rows = export_rows(connection, selection, to)
            console.print(f"{rows:,} rows written to {to}", highlight=False)
        if folder is not None:
            drops = export_drops(connection, store, selection, folder)
            console.print(f"{drops.copied:,} drops copied to {folder}", highlight=False)
            for message in drops.lost:
                console.print(f"not copied: {message}", style="red", highlight=False, markup=False)
