"""`lastmile quarantine`: what was set aside, and why."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from lastmile.errors import UserError
from lastmile.settings import Settings

quarantine = typer.Typer(help="Look at what was set aside, and why.", no_args_is_help=True)


@quarantine.callback()
def group() -> None:
    """Keeps `show` a command of its own name while it is the only one."""


@quarantine.command()
def show(
    dataset: Annotated[str | None, typer.Option(help="Only this dataset.")] = None,
    partition: Annotated[str | None, typer.Option(help="Only this partition.")] = None,
    drop: Annotated[int | None, typer.Option(help="Only this drop, by its number.")] = None,
    limit: Annotated[int, typer.Option(help="Rows shown at most.", min=1)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Show the drops set aside whole, and the rows set aside with their line, text and every rule broken.

    Example: lastmile quarantine show --dataset hhinfo --partition 2019
    """
    from lastmile.intake import aside
    from lastmile.warehouse.connecting import connect, database

    with database(Settings.from_environment()) as url, connect(url) as connection:
        where = aside.Place(dataset, partition, drop)
        drops = aside.drops(connection, where, limit)
        rows = aside.rows(connection, where, limit)
        total = aside.count(connection, where)
    if drop is not None and not drops and not rows:
        raise UserError(f"nothing is set aside of drop {drop}; leave --drop out to see what is")
    if as_json:
        print(json.dumps({"drops": drops, "rows": rows, "total_rows": total}, default=str))
        return
    _print(Console(), drops, rows, total)


def _print(console: Console, drops: list[dict[str, Any]], rows: list[dict[str, Any]], total: int) -> None:
    if not drops and not total:
        console.print("nothing is set aside")
        return
    for found in drops:
        console.print(
            f"[bold]drop {found['id']}[/bold] {found['key']} is {found['state']}: {found['message']}", highlight=False
        )
    table = Table("drop", "file", "line", "reasons", "raw text", title=f"Rows set aside: {len(rows)} of {total} shown")
    for row in rows:
        reasons = "\n".join(reason["message"] for reason in row["reasons"])
        table.add_row(str(row["drop_id"]), row["key"], str(row["line"]), reasons, _short(row["raw"]))
    if rows:
        console.print(table)


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text)} characters)"
