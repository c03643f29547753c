"""`lastmile quarantine export`: what is quarantined as files, to be corrected."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lastmile.cli.connection import opened
from lastmile.cli.options import Dataset
from lastmile.cli.quarantine.selection import Column, Drop, Partition, Rule
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.store import StoredObject

#: Longest end of a drop's own name that its copy keeps: with its number before it, any file system holds it.
_NAME_KEPT = 60


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
            with closing(query.stream_rows(connection, selection)) as pages:
                rows = export_rows(pages, to)
            console.print(f"{rows:,} rows written to {to}", highlight=False)
        if folder is not None:
            found = [one for one in query.drops(connection, selection, None) if not one["is_unfit"]]
            lost = export_drops(store, {_name(one): _object(one) for one in found}, folder)
            console.print(f"{len(found) - len(lost):,} drops copied to {folder}", highlight=False)
            for message in lost:
                console.print(f"not copied: {message}", style="red", highlight=False, markup=False)


def _name(drop: Mapping[str, Any]) -> str:
    return f"drop-{drop['id']}-{PurePosixPath(drop['key']).name[-_NAME_KEPT:]}"


def _object(drop: Mapping[str, Any]) -> "StoredObject":
    from lastmile.store import StoredObject

    return StoredObject(drop["key"], drop["size"], drop["version"], drop["modified_at"])
