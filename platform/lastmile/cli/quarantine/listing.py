"""`lastmile quarantine list` and `show`: how much is set aside and why, then row by row."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column as TableColumn
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson, Dataset
from lastmile.cli.quarantine.selection import Column, Drop, Partition, Rule
from lastmile.errors import UserError
from lastmile.settings import Settings

Discarded = Annotated[bool, typer.Option("--discarded", help="Also what was discarded.")]
_DROPS_SHOWN = 20
#: Characters of a terminal from which on examples have room beside the rules.
_WIDE = 110


def overview(
    dataset: Dataset = None,
    partition: Partition = None,
    discarded: Discarded = False,
    as_json: AsJson = False,
) -> None:
    """List how many rows broke which rule, by dataset and partition, and the drops set aside whole with the reason.

    Example: lastmile quarantine list --dataset hhinfo
    """
    from lastmile.quarantine import query
    from lastmile.quarantine.selection import check

    with opened(Settings.from_environment()) as (connection, store):
        selection = query.Selection(dataset, partition, store=store.url, discarded=discarded)
        check(connection, selection)
        rules = query.overview(connection, selection)
        drops = query.drops(connection, selection, None if as_json else _DROPS_SHOWN)
        counts = {"rows": query.count(connection, selection), "whole_drops": query.count_drops(connection, selection)}
    if as_json:
        print(json.dumps({"rules": rules, "drops": drops, **counts}, default=str))
        return
    console = Console()
    if not any(counts.values()):
        console.print("nothing is set aside")
        return
    if rules:
        console.print(_rules(rules, counts["rows"], with_example=console.width >= _WIDE))
    _print_drops(console, drops, counts["whole_drops"])


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
    """Show the drops set aside whole, and the rows set aside with their line, text and every rule broken.

    Example: lastmile quarantine show --dataset hhinfo --partition 2019
    """
    from lastmile.quarantine import query
    from lastmile.quarantine.selection import check

    with opened(Settings.from_environment()) as (connection, store):
        selection = query.Selection(dataset, partition, drop, rule, column, store=store.url, discarded=discarded)
        check(connection, selection)
        drops = query.drops(connection, selection, limit)
        rows = query.rows(connection, selection, limit)
        counts = query.count(connection, selection), query.count_drops(connection, selection)
    if drop is not None and not drops and not rows:
        raise UserError(f"nothing is set aside of drop {drop}; leave --drop out to see what is")
    if as_json:
        print(json.dumps({"drops": drops, "rows": rows, "total_rows": counts[0]}, default=str))
        return
    console = Console()
    if not any(counts):
        console.print("nothing is set aside")
        return
    _print_drops(console, drops, counts[1])
    if rows:
        console.print(_rows(rows, counts[0]))


def _rules(rules: Sequence[Mapping[str, Any]], rows: int, with_example: bool) -> Table:
    names = [TableColumn(name, overflow="fold") for name in ("dataset", "partition", "column", "rule")]
    numbers = [TableColumn(name, justify="right", no_wrap=True) for name in ("rows", "drops")]
    table = Table(*names, *numbers, title=f"{rows:,} rows set aside")
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
            " (asked to be taken again)" if found["is_asked_for"] else "",
        ]
        told = escape(f"{found['key']} is {found['state']}: {found['message']}{''.join(ends)}")
        console.print(f"[bold]drop {found['id']}[/bold] {told}", highlight=False)
    if total > len(drops):
        console.print(f"... and {total - len(drops):,} more drops set aside whole; --json gives all of them")


def _rows(rows: Sequence[Mapping[str, Any]], total: int) -> Table:
    texts = [TableColumn(name, overflow="fold") for name in ("file", "line", "reasons", "raw text")]
    table = Table("drop", *texts, title=f"Rows set aside: {len(rows)} of {total} shown")
    for row in rows:
        reasons = [reason["message"] for reason in row["reasons"]]
        if row["discarded_why"]:
            reasons.append(f"discarded: {row['discarded_why']}")
        told = [row["key"], str(row["line"]), "\n".join(reasons), _short(row["raw"], 200)]
        table.add_row(str(row["drop_id"]), *map(escape, told))
    return table


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text)} characters)"
