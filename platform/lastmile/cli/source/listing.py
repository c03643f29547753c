"""Showing sources: all of them, or the runs of one."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson
from lastmile.cli.tables import print_table
from lastmile.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.sources.declarations.source import Source
    from lastmile.store import Store


def overview(as_json: AsJson = False) -> None:
    """Show each source: its kind and dataset, when it is fetched, and how the last run went.

    Example: lastmile source list
    """
    from lastmile.contracts import load_contracts
    from lastmile.sources.loading import load_sources
    from lastmile.sources.runs import newest

    settings = Settings.from_environment()
    declared = load_sources(settings.assets, load_contracts(settings.assets))
    with opened(settings) as (connection, store):
        last = newest(connection)
        found = [_row(connection, store, one, last.get(name)) for name, one in declared.items()]
    if as_json:
        print(json.dumps(found, default=str))
        return
    table = Table("source", "kind", "dataset", "when", "last run", "result", "records", "loaded up to", box=None)
    for row in found:
        at = f"{row['at']:%Y-%m-%d %H:%M}" if row["at"] else "never"
        records = "" if row["records"] is None else f"{row['records']:,}"
        table.add_row(
            row["name"],
            row["kind"],
            row["dataset"],
            row["schedule"],
            at,
            row["state"] or "",
            records,
            row["cursor"] or "",
        )
    console = Console()
    if found:
        print_table(table)
    else:
        print("no sources are declared")
    for broken in declared.broken:
        console.print(str(broken), markup=False, highlight=False, soft_wrap=True)


def show(
    name: Annotated[str, typer.Argument(help="The source's name.")],
    most: Annotated[int, typer.Option("--runs", help="So many runs, the newest first.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Show where a source is, and its last runs with what happened in each.

    Example: lastmile source show posts
    """
    from lastmile.sources.declared import find
    from lastmile.sources.runs import times

    settings = Settings.from_environment()
    source, _ = find(name, settings.assets)
    with opened(settings) as (connection, store):
        runs = times(connection, name, most)
        row = _row(connection, store, source, runs[0] if runs else None)
    if as_json:
        print(json.dumps({**row, "runs": runs}, default=str))
        return
    console = Console()
    for title in ("kind", "dataset", "description", "owner", "schedule", "cursor", "waits"):
        if row[title]:
            console.print(f"{title:<12} {row[title]}", markup=False, highlight=False, soft_wrap=True)
    table = Table("started", "seconds", "result", "requests", "records", "again", "size", "from", "to", box=None)
    for run in runs:
        seconds = f"{(run['ended_at'] - run['started_at']).total_seconds():.1f}" if run["ended_at"] else ""
        numbers = (f"{run[one]:,}" for one in ("requests", "records", "repeated"))
        cursors = (run["cursor_from"] or "", run["cursor_to"] or "")
        table.add_row(
            f"{run['started_at']:%Y-%m-%d %H:%M:%S}", seconds, run["state"], *numbers, decimal(run["bytes"]), *cursors
        )
    if runs:
        print_table(table)
    else:
        print("it never ran")
    for run in runs:
        said = [*run["events"], *([run["message"]] if run["message"] else [])]
        for sentence in said:
            console.print(
                f"{run['started_at']:%Y-%m-%d %H:%M:%S}  {sentence}", markup=False, highlight=False, soft_wrap=True
            )


def _row(connection: "Connection", store: "Store", source: "Source", last: dict[str, Any] | None) -> dict[str, Any]:
    from lastmile.sources.cursors import Standing, standing

    at = standing(connection, store.url, source.name) if source.is_incremental else Standing()
    reached, waits = at.reached, f"{at.again.key} is not loaded; the next run fetches it again" if at.again else None
    if source.kind == "changes":
        reached, waits = _behind(connection, source.name)
    schedule, is_off = source.schedule, "" if source.starts_running else ", off until switched on"
    return {
        "name": source.name,
        "kind": source.kind,
        "dataset": source.dataset,
        "description": source.description,
        "owner": source.owner,
        "schedule": f"{schedule.cron} {schedule.time_zone}{is_off}" if schedule else "when it is started",
        "at": last["started_at"] if last else None,
        "state": last["state"] if last else None,
        "records": last["records"] if last else None,
        "cursor": reached,
        "waits": waits,
    }


def _behind(connection: "Connection", name: str) -> tuple[str | None, str | None]:
    """Up to where changes are loaded, and what is behind that, or why it is not followed."""
    from lastmile.sources.changes.positions import lags

    lag = lags(connection).get(name)
    if lag is None or lag.lsn is None:
        return None, None
    if lag.problem:
        return lag.lsn, lag.problem
    seen = f", as seen {lag.seen_at:%Y-%m-%d %H:%M:%S}" if lag.seen_at else ""
    return lag.lsn, f"{decimal(lag.bytes or 0)} of the log, {lag.seconds or 0:.0f} seconds{seen}"
