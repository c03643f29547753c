"""`lastmile quarantine release` and `discard`: take again what was set aside, or give it up."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from lastmile.cli.connection import opened
from lastmile.cli.options import Dataset, Yes, agreed
from lastmile.cli.quarantine.selection import Column, Drop, Lines, Partition, Rule, check, parsed
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.quarantine.query import Place
    from lastmile.store import Store


def release(
    dataset: Dataset = None,
    partition: Partition = None,
    drop: Drop = None,
    lines: Lines = None,
    rule: Rule = None,
    column: Column = None,
    discarded: Annotated[bool, typer.Option("--discarded", help="Also what was discarded.")] = False,
    yes: Yes = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait for it to be done, or leave it to the platform.")
    ] = True,
) -> None:
    """Take again what was set aside, once its contract or its source was mended.

    Rows are read again from their file and judged by the contract as it is now: those that fit are loaded, no other row
    changes. Drops set aside whole are taken whole. A running platform does it at once; where none runs, it is started
    for it. What depends on the rows is made anew. Doing it again changes nothing.

    Example: lastmile quarantine release --dataset hhinfo --column hh_size_members
    """
    from lastmile.cli.progress.reingest import carry_out
    from lastmile.quarantine import query
    from lastmile.quarantine.release import ask

    settings, console = Settings.from_environment(), Console()
    with opened(settings) as (connection, store):
        place = _place(connection, store, dataset, partition, drop, rule, column, lines, discarded)
        rows = query.lines(connection, place, ["loaded"])
        whole = query.drops(connection, place, None)
        _refuse_lines_of_whole_drops(place, whole)
        unfit = [found for found in whole if found["is_unfit"]]
        for found in unfit:
            console.print(f"left out: drop {found['id']}: {found['message']}", markup=False, highlight=False)
        ids = [found["id"] for found in whole if not found["is_unfit"]]
        if not rows and not ids:
            console.print(_nothing(connection, place), highlight=False)
            return
        agreed(f"Take again {_counted(rows, ids)}?", yes)
        asked = ask(connection, rows, ids)
    console.print(f"asked for: {_counted(rows, ids)}", highlight=False)
    if wait and asked and not carry_out(settings, console, asked):
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
    """Give up rows, or drops, that were set aside: they are no longer shown, and not loaded when the drop is redone.

    They stay counted, and the decision is in the ledger. `lastmile quarantine release --discarded` takes it back.

    Example: lastmile quarantine discard --drop 12 --lines 3,7 --why "trial interviews"
    """
    from lastmile.quarantine import discard, query

    if not why.strip():
        raise UserError("--why is empty: say why this is not wanted, for those who ask later")
    with opened(Settings.from_environment()) as (connection, store):
        place = _place(connection, store, dataset, partition, drop, rule, column, lines, discarded=False)
        rows = query.lines(connection, place, ["loaded", "quarantined"] if place.names_rows else ["loaded"])
        whole = [] if place.names_rows else [found["id"] for found in query.drops(connection, place, None)]
        if not rows and not whole:
            print(_nothing(connection, place))
            return
        agreed(f"Discard {_counted(rows, whole)}?", yes)
        discard.discard(connection, rows, whole, why.strip())
    print(f"discarded {_counted(rows, whole)}")


def _place(
    connection: "Connection",
    store: "Store",
    dataset: str | None,
    partition: str | None,
    drop: int | None,
    rule: str | None,
    column: str | None,
    lines: str | None,
    discarded: bool,
) -> "Place":
    from lastmile.quarantine.query import Place

    if lines is not None and drop is None:
        raise UserError("--lines are those of one drop: say which with --drop")
    if (dataset, partition, drop, rule, column) == (None,) * 5:
        raise UserError(
            "say what: --drop, --dataset, --partition, --rule or --column; `lastmile quarantine list` helps"
        )
    place = Place(dataset, partition, drop, rule, column, parsed(lines), store.url, discarded)
    check(connection, place)
    return place


def _refuse_lines_of_whole_drops(place: "Place", whole: Sequence[Mapping[str, Any]]) -> None:
    if place.lines is not None and whole:
        raise UserError(
            f"drop {place.drop} was set aside whole ({whole[0]['message']}): release it without --lines; rows of it"
            " that are not wanted can be discarded first, and no longer count against it"
        )


def _counted(rows: Mapping[int, Sequence[int]], drops: Sequence[int]) -> str:
    number = sum(map(len, rows.values()))
    parts = [
        f"{number:,} row{'s' * (number != 1)} of {len(rows):,} drop{'s' * (len(rows) != 1)}" if rows else "",
        f"{len(drops):,} drop{'s' * (len(drops) != 1)} set aside whole" if drops else "",
    ]
    return " and ".join(part for part in parts if part)


def _nothing(connection: "Connection", place: "Place") -> str:
    if place.drop is None:
        return "nothing of that is set aside"
    found = connection.execute(
        "SELECT key, state, rows_read, rows_loaded, rows_quarantined, rows_duplicate FROM ledger.drops WHERE id = %s",
        [place.drop],
    ).fetchall()
    key, state, *counts = found[0]
    told = "read {:,}, loaded {:,}, quarantined {:,}, duplicate {:,}".format(*counts)
    return f"nothing of that is set aside; drop {place.drop} ({key}) is {state}: rows {told}"
