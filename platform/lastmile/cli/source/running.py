"""Fetching from a source now, or only looking at what would come."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson
from lastmile.cli.source.following import follow
from lastmile.cli.source.progress import progress
from lastmile.cli.tables import print_table
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.sources.runs import Ran
    from lastmile.sources.trial import Trial

#: Columns and characters of the rows that are shown.
_COLUMNS, _CHARACTERS = 8, 40


def run(
    name: Annotated[str, typer.Argument(help="The source's name.")],
    since: Annotated[
        str | None,
        typer.Option(help="Fetch from here on, before where the last run ended; what is loaded is left out."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the first rows and the contract's verdict; land nothing.")
    ] = False,
    rows: Annotated[int, typer.Option(help="Of a dry run: so many records at most.", min=1)] = 1_000,
    until_caught_up: Annotated[
        bool,
        typer.Option("--until-caught-up", help="Of changes: end when all that is there now is loaded."),
    ] = False,
    snapshot: Annotated[
        bool, typer.Option("--snapshot", help="Of changes: load all rows anew, and follow from there on.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fetch now, and land what came as a drop; the platform ingests it when it is up.

    Example: lastmile source run posts --dry-run
    """
    from lastmile.sources.declared import find
    from lastmile.sources.running import run as fetch
    from lastmile.sources.trial import tried

    settings = Settings.from_environment()
    source, contract = find(name, settings.assets)
    if source.kind == "changes" and not dry_run:
        follow(source, contract, until_caught_up, snapshot, as_json)
        return
    if until_caught_up or snapshot:
        raise UserError(f"source {name} is no source of changes; --until-caught-up and --snapshot are for those")
    with opened(settings) as (connection, store), progress(name) as done:
        if dry_run:
            with TemporaryDirectory(prefix="lastmile-source-") as folder:
                trial = tried(connection, store, source, contract, Path(folder), since, rows, done)
        else:
            ran = fetch(connection, store, source, contract, since=since, progress=done)
    if dry_run:
        _show_trial(name, contract.name, trial, as_json)
    else:
        _show_run(name, ran, as_json)


def _show_run(name: str, ran: "Ran", as_json: bool) -> None:
    if as_json:
        print(json.dumps(vars(ran)))
        return
    _say(ran.events)
    again = f", {ran.repeated:,} came again and are left out" if ran.repeated else ""
    if ran.state == "nothing new":
        print(f"{name}: nothing new in {ran.requests:,} requests{again}")
        return
    came = f"{ran.records:,} records ({decimal(ran.bytes)}) in {ran.requests:,} requests"
    print(f"{name}: {came}{again}; landed as {ran.key}")


def _show_trial(name: str, dataset: str, trial: "Trial", as_json: bool) -> None:
    verdict = trial.verdict
    if as_json:
        found: dict[str, Any] = {**vars(verdict), "events": list(trial.events), "cursor_from": trial.cursor_from}
        print(json.dumps({**found, "records": trial.fetched.records}, default=str))
        return
    _say(trial.events)
    begin = f" from {trial.cursor_from} on" if trial.cursor_from else ""
    print(f"{name}: {trial.fetched.records:,} records looked at{begin}; nothing was landed")
    if verdict.first:
        names = list(verdict.first[0])[:_COLUMNS]
        table = Table(box=None)
        for column in names:
            table.add_column(escape(column))
        for row in verdict.first:
            table.add_row(*("" if row[one] is None else escape(_shortened(str(row[one]))) for one in names))
        print_table(table)
        if len(verdict.first[0]) > _COLUMNS:
            print(f"and {len(verdict.first[0]) - _COLUMNS} more columns")
    if verdict.rows:
        print(f"contract {dataset}: {verdict.rows - verdict.bad:,} of {verdict.rows:,} rows are good")
    for broken in verdict.broken:
        print(f"  {broken['rows']:,} rows: {broken['message']}")
    for what, names in verdict.change.items():
        print(f"  schema drift, {what}: {', '.join(names) if isinstance(names, list | dict) else names}")
    if verdict.problem:
        print(f"  the drop would be quarantined whole: {verdict.problem}")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CHARACTERS else f"{line[: _CHARACTERS - 1]}…"


def _say(events: "list[str] | tuple[str, ...] | Any") -> None:
    console = Console(stderr=True)
    for sentence in events:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)
