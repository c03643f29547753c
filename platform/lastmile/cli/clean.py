"""`lastmile clean`: remove from the landing area what is safely loaded, and orphaned cleaned files."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress
from rich.table import Column, Table

from lastmile.cli.connection import opened
from lastmile.cli.options import Dataset, Yes, agreed
from lastmile.cli.past import clean_past as _remove_past
from lastmile.cli.past import surveyed
from lastmile.cli.status import duration
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.operations.retention.objects import Tally
    from lastmile.store import Store

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def clean(
    dataset: Dataset = None,
    older_than: Annotated[
        str | None,
        typer.Option(help="Loaded at least this long ago: 90d, 12h ... (default: the contract's `retention`)"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")] = False,
    yes: Yes = False,
) -> None:
    """Remove the objects of loaded drops from the landing area; their rows and their entries in the ledger stay.

    Objects with quarantined rows stay until those are released or discarded; so does what waits, failed, or is newer
    than the ledger knows. A drop whose object is gone cannot be re-ingested. Cleaned files left by killed attempts go
    too.

    Without --dataset and --older-than also what of the past is older than it is kept: Dagster's runs, events and ticks,
    histories of sources and streams, logs, old editions of reports, files of model versions that were never in use (how
    long: docs/retention.md).

    Example: lastmile clean --dataset hhinfo --older-than 90d --dry-run
    """
    from lastmile.operations.retention.objects import orphans, survey

    settings, console = Settings.from_environment(), Console()
    ages = _ages(settings, dataset, None if older_than is None else parse_age(older_than))
    with opened(settings) as (connection, store):
        found = {name: survey(connection, store, name, age) for name, age in ages.items() if age is not None}
        left = [file for name in ages for file in orphans(connection, store, name)]
        objects = sum(tally.objects for tally in found.values())
        console.print(table(found, ages))
        console.print(f"{len(left)} cleaned files, {decimal(sum(file.size for file in left))}, belong to no drop")
        past = surveyed(connection, settings, store) if dataset is None and older_than is None else {}
        for what, count in past.items():
            console.print(f"{what}: {count}", highlight=False)
        if dry_run or not (objects or left or any(past.values())):
            console.print("nothing was removed" if dry_run else "there is nothing to remove")
            return
        agreed(
            f"Remove {objects} objects, {len(left)} files and {sum(past.values()):,} entries of the past for good?",
            yes,
            instead=", or only look with --dry-run",
        )
        _remove(connection, store, ages, objects, console)
        if past:
            _remove_past(connection, settings, store, console)


def table(found: "Mapping[str, Tally]", ages: Mapping[str, timedelta | None]) -> Table:
    """What may go and what stays, by dataset."""
    numbers = (Column(name, justify="right") for name in ("objects", "bytes"))
    shown = Table("dataset", "loaded at least", *numbers, "kept, and why", title="What clean-up removes")
    for name, age in ages.items():
        if age is None:
            shown.add_row(name, "", "", "", "everything: its contract declares no retention; see --older-than")
        else:
            tally = found[name]
            kept = "\n".join(f"{count}: {why}" for why, count in tally.kept.most_common())
            shown.add_row(
                name, f"{duration(age.total_seconds())} ago", f"{tally.objects:,}", decimal(tally.bytes), kept
            )
    return shown


def parse_age(text: str) -> timedelta:
    """A length of time such as `90d`. Raises UserError with what was expected."""
    found = re.fullmatch(rf"(\d{{1,6}})([{''.join(_UNITS)}])", text.strip())
    if not found:
        raise UserError(f"--older-than {text!r} is not a length of time; expected such as 90d, 12h, 30m or 2w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _ages(settings: Settings, dataset: str | None, given: timedelta | None) -> dict[str, timedelta | None]:
    from lastmile.contracts.loading import load_contracts
    from lastmile.contracts.lookup import contract_of

    contracts = load_contracts(settings.assets)
    chosen = contracts.values() if dataset is None else [contract_of(dataset, contracts)]
    return {contract.name: contract.arrival.retention if given is None else given for contract in chosen}


def _remove(
    connection: "Connection", store: "Store", ages: Mapping[str, timedelta | None], objects: int, console: Console
) -> None:
    from lastmile.operations.retention.objects import clean as clean_landing
    from lastmile.operations.retention.objects import sweep

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("removing", total=objects)
        gone = [
            clean_landing(connection, store, name, age, lambda _: progress.advance(task))
            for name, age in ages.items()
            if age is not None
        ]
    swept = [sweep(connection, store, name) for name in ages]
    console.print(
        f"removed {sum(tally.objects for tally in gone)} objects, {decimal(sum(tally.bytes for tally in gone))},"
        f" and {sum(tally.objects for tally in swept)} cleaned files, {decimal(sum(tally.bytes for tally in swept))}"
    )
