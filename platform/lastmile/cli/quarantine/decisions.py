"""`lastmile quarantine release` and `discard`: ingest again what is quarantined, or give it up."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lastmile.cli.connection import opened
from lastmile.cli.options import Dataset, Wait, Yes, agreed
from lastmile.cli.quarantine.selection import Column, Drop, Lines, Partition, Rule, parsed
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.quarantine.query import Selection


def release(
    dataset: Dataset = None,
    partition: Partition = None,
    drop: Drop = None,
    lines: Lines = None,
    rule: Rule = None,
    column: Column = None,
    discarded: Annotated[bool, typer.Option("--discarded", help="Also what was discarded.")] = False,
    yes: Yes = False,
    wait: Wait = True,
) -> None:
    """Ingest quarantined rows and drops again, once their contract or source was corrected.

    Rows are read again from their file and validated against the contract as it is now: those that fit are loaded, no
    other row changes. Drops quarantined whole are re-ingested whole. A running platform does it at once; where none
    runs, one is started for it. What is downstream of the rows is made anew. Releasing again changes nothing.

    Example: lastmile quarantine release --dataset hhinfo --column hh_size_members
    """
    from lastmile.cli.progress.reingest import await_results
    from lastmile.quarantine.query import Selection
    from lastmile.quarantine.release import releasable
    from lastmile.quarantine.release import release as request_release
    from lastmile.quarantine.selection import check_for_decision

    settings, console = Settings.from_environment(), Console()
    with opened(settings) as (connection, store):
        selection = Selection(dataset, partition, drop, rule, column, parsed(lines), store.url, discarded)
        check_for_decision(connection, selection)
        found = releasable(connection, selection)
        for unfit in found.unfit:
            console.print(f"left out: drop {unfit['id']}: {unfit['message']}", markup=False, highlight=False)
        if not found:
            console.print(_nothing(connection, selection), highlight=False)
            return
        agreed(f"Ingest {_counted(found.rows, found.drops)} again?", yes)
        requested = request_release(connection, found.rows, found.drops)
    console.print(f"requested: {_counted(found.rows, found.drops)}", highlight=False)
    if wait and requested and not await_results(settings, console, requested):
        raise typer.Exit(1)


def discard(
    why: Annotated[str, typer.Option(help="The reason, kept with the decision.")],
    dataset: Dataset = None,
    partition: Partition = None,
    drop: Drop = None,
    lines: Lines = None,
    rule: Rule = None,
    column: Column = None,
    yes: Yes = False,
) -> None:
    """Discard quarantined rows or drops: they are no longer listed, and not loaded when the drop is re-ingested.

    They stay counted, and the decision is in the ledger. `lastmile quarantine release --discarded` takes it back.

    Example: lastmile quarantine discard --drop 12 --lines 3,7 --why "trial interviews"
    """
    from lastmile.quarantine.discard import discard as record_discard
    from lastmile.quarantine.discard import discardable
    from lastmile.quarantine.query import Selection
    from lastmile.quarantine.selection import check_for_decision

    if not why.strip():
        raise UserError("--why is empty: say why this is not wanted, for those who ask later")
    with opened(Settings.from_environment()) as (connection, store):
        selection = Selection(dataset, partition, drop, rule, column, parsed(lines), store.url)
        check_for_decision(connection, selection)
        found = discardable(connection, selection)
        if not found:
            print(_nothing(connection, selection))
            return
        agreed(f"Discard {_counted(found.rows, found.drops)}?", yes)
        record_discard(connection, found.rows, found.drops, why)
    print(f"discarded {_counted(found.rows, found.drops)}")


def _counted(rows: Mapping[int, Sequence[int]], drops: Sequence[int]) -> str:
    number = sum(map(len, rows.values()))
    parts = [
        f"{number:,} row{'s' * (number != 1)} of {len(rows):,} drop{'s' * (len(rows) != 1)}" if rows else "",
        f"{len(drops):,} drop{'s' * (len(drops) != 1)} quarantined whole" if drops else "",
    ]
    return " and ".join(part for part in parts if part)


def _nothing(connection: "Connection", selection: "Selection") -> str:
    from lastmile.cli.progress.reingest import counts
    from lastmile.ledger.query import results

    nothing = "nothing of that is quarantined"
    if selection.drop is None:
        return nothing
    (found,) = results(connection, [selection.drop])
    return f"{nothing}; drop {found.id} ({found.key}) is {found.state}: rows {counts(found)}"
