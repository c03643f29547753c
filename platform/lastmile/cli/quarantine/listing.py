"""`lastmile quarantine list` and `show`: how much is quarantined and why, then row by row."""

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
        whole = query.count_drops(connection, selection)
    if as_json:
        print(json.dumps({"rules": rules, "drops": drops, "undecided": counts}, default=str))
        return
    console = Console()
    if not rules and not drops:
        console.print("nothing is quarantined")
        return
    if rules:
        console.print(_rules(rules, counts, with_example=console.width >= _WIDE))
    _print_drops(console, drops, whole)


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
        counts = query.count(connection, selection), query.count_drops(connection, selection)
    if drop is not None and not drops and not rows:
        raise UserError(f"nothing of drop {drop} is quarantined; leave --drop out to see what is")
    if as_json:
        print(json.dumps({"drops": drops, "rows": rows, "total_rows": counts[0]}, default=str))
        return
    console = Console()
    if not any(counts):
        console.print("nothing is quarantined")
        return
    _print_drops(console, drops, counts[1])
    if rows:
        console.print(_rows(rows, counts[0]))


def _rules(rules: Sequence[Mapping[str, Any]], undecided: Mapping[str, int], with_example: bool) -> Table:
    names = [TableColumn(name, overflow="fold") for name in ("dataset", "partition", "column", "rule")]
    numbers = [TableColumn(name, justify="right", no_wrap=True) for name in ("rows", "drops")]
    table = Table(
        *names,
        *numbers,
        title=f"Rules broken; undecided are {undecided['rows']:,} rows and {undecided['drops']:,} whole drops",
    )
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


def _rows(rows: Sequence[Mapping[str, Any]], total: int) -> Table:
    texts = [TableColumn(name, overflow="fold") for name in ("file", "line", "reasons", "raw text")]
    table = Table("drop", *texts, title=f"Quarantined rows: {len(rows)} of {total} shown")
    for row in rows:
        reasons = [reason["message"] for reason in row["reasons"]]
        if row["discarded_why"]:
            reasons.append(f"discarded: {row['discarded_why']}")
        cells = [row["key"], str(row["line"]), "\n".join(reasons), _short(row["raw"], 200)]
        table.add_row(str(row["drop_id"]), *map(escape, cells))
    return table


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text)} characters)"
