"""`lastmile quarantine list` and `show`: how much is quarantined and why, then row by row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column as TableColumn
from rich.table import Table
from rich.text import Text

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson, Dataset
from lastmile.cli.quarantine.selection import Column, Drop, Partition, Rule
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.quarantine.query import Totals

Discarded = Annotated[bool, typer.Option("--discarded", help="Also what was discarded.")]
_DROPS_SHOWN = 20
#: Characters of a terminal from which on examples have room next to the rules.
_WIDE = 110


def overview(
    dataset: Dataset = None,
    partition: Partition = None,
    discarded: Discarded = False,
    as_json: AsJson = False,
) -> None:
    """List how many rows broke which rule, by dataset and partition, and the drops quarantined whole with the reason.

    Example: lastmile quarantine list --dataset hhinfo
    """
    from lastmile.ledger.state import undecided
    from lastmile.quarantine import query
    from lastmile.quarantine.selection import check

    with opened(Settings.from_environment()) as (connection, store):
        selection = query.Selection(dataset, partition, store=store.url, discarded=discarded)
        check(connection, selection)
        rules = query.overview(connection, selection)
        drops = query.drops(connection, selection, None if as_json else _DROPS_SHOWN)
        counts = undecided(connection, store.url, dataset, partition)
        totals = query.totals(connection, selection)
    if as_json:
        print(json.dumps({"rules": rules, "drops": drops, "undecided": counts}, default=str))
        return
    console = Console()
    if not rules and not drops:
        console.print("nothing is quarantined")
        return
    if rules:
        console.print(_rules(rules, with_example=console.width >= _WIDE))
    console.print(f"quarantined: {totals}; a row may break several rules", highlight=False)
    _print_drops(console, drops, totals.drops)


def show(
    dataset: Dataset = None,
    partition: Partition = None,
    drop: Drop = None,
    rule: Rule = None,
    column: Column = None,
    limit: Annotated[int, typer.Option(help="Rows shown at most.", min=1)] = 20,
    discarded: Discarded = False,
    as_json: AsJson = False,
) -> None:
    """Show the drops quarantined whole, and quarantined rows with their line, text and every rule broken.

    Example: lastmile quarantine show --dataset hhinfo --partition 2019
    """
    from lastmile.quarantine import query
    from lastmile.quarantine.selection import check

    with opened(Settings.from_environment()) as (connection, store):
        selection = query.Selection(dataset, partition, drop, rule, column, store=store.url, discarded=discarded)
        check(connection, selection)
        drops = query.drops(connection, selection, limit)
        rows = query.rows(connection, selection, limit)
        totals = query.totals(connection, selection)
    if drop is not None and not drops and not rows:
        raise UserError(f"nothing of drop {drop} is quarantined; leave --drop out to see what is")
    if as_json:
        print(
            json.dumps(
                {"drops": drops, "rows": rows, "total_rows": totals.listed, "totals": asdict(totals)}, default=str
            )
        )
        return
    console = Console()
    if not totals.listed and not totals.drops:
        console.print("nothing is quarantined")
        return
    _print_drops(console, drops, totals.drops)
    if rows:
        _print_rows(console, rows, totals)


def _rules(rules: Sequence[Mapping[str, Any]], with_example: bool) -> Table:
    names = [TableColumn(name, overflow="fold") for name in ("dataset", "partition", "column", "rule")]
    numbers = [TableColumn(name, justify="right", no_wrap=True) for name in ("rows", "drops")]
    table = Table(*names, *numbers, title="Rules broken", title_justify="left")
    if with_example:
        table.add_column("example", overflow="fold")
    for found in rules:
        place = [escape(found[name] or "") for name in ("dataset", "partition", "column", "rule")]
        example = [escape(_short(found["example"] or "", 100))] if with_example else []
        table.add_row(*place, f"{found['rows']:,}", f"{found['drops']:,}", *example)
    return table


def _print_drops(console: Console, drops: Sequence[Mapping[str, Any]], total: int) -> None:
    for found in drops:
        ends = [
            f" (discarded: {found['discarded_why']})" if found["discarded_why"] else "",
            " (re-ingest requested)" if found["is_requested"] else "",
        ]
        line = escape(f"{found['key']} is {found['state']}: {found['message']}{''.join(ends)}")
        console.print(f"[bold]drop {found['id']}[/bold] {line}", highlight=False)
    if total > len(drops):
        console.print(f"... and {total - len(drops):,} more drops quarantined whole; --json gives all of them")


def _print_rows(console: Console, rows: Sequence[Mapping[str, Any]], totals: "Totals") -> None:
    """Drop by drop: the line, each rule that it broke, its text as it came. Reads the same in a narrow terminal."""
    for (drop, key), of_drop in groupby(rows, key=lambda row: (row["drop_id"], row["key"])):
        console.print(Text(f"\ndrop {drop} {key}", style="bold"))
        table = Table.grid(TableColumn(justify="right"), TableColumn(overflow="fold"), padding=(0, 2))
        for row in of_drop:
            table.add_row(f"  line {row['line']}", _reasons(row))
            table.add_row("", Text(_short(row["raw"], 200), style="dim"))
        console.print(table)
    shown = f"{len(rows):,} of {totals.listed:,} rows shown" if len(rows) < totals.listed else "all shown"
    console.print(f"\nquarantined: {totals}; {shown}", highlight=False)


def _reasons(row: Mapping[str, Any]) -> Text:
    discarded = [f"discarded: {row['discarded_why']}"] if row["discarded_why"] else []
    return Text("\n".join([*(reason["message"] for reason in row["reasons"]), *discarded]))


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text)} characters)"
