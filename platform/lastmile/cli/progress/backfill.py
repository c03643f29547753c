"""Seeing a backfill through: asked for, shown as it goes, and what it changed at the end."""

import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lastmile.cli.progress.live import work
from lastmile.cli.progress.row_changes import counted, summary
from lastmile.embedded.session import Session
from lastmile.orchestration.backfills import Backfill

if TYPE_CHECKING:
    from dagster import DagsterInstance

_POLL_SECONDS = 1.0

Ask = Callable[["DagsterInstance", Path], Backfill]


def carry_out(running: Session, console: Console, asks: Sequence[Ask], first: date, after: date) -> bool:
    """Ask, wait until it is made and what follows from it, and show what changed in the partitions of these days.

    False where something failed. To stop waiting stops nothing else: the daemon carries the backfills on.
    """
    from lastmile.warehouse.connections import connect

    asked = [ask(running.instance, running.settings.dagster_home / "workspace.yaml") for ask in asks]
    keys = [key for one in asked for key in one.keys]
    with connect(running.database_url) as connection:
        before = counted(connection, keys, first, after)
    names = ", ".join(one.backfill_id for one in asked)
    console.print(
        f"backfill {names}: Ctrl-C leaves it to the platform, `--resume` asks for what failed", highlight=False
    )
    _wait(running, console, asked)
    succeeded = work(running, console) and all(one.is_done(running.instance) for one in asked)
    with connect(running.database_url) as connection:
        console.print(summary(before, counted(connection, keys, first, after)))
    for left in filter(None, (one.left(running.instance) for one in asked)):
        console.print(left, highlight=False)
    return succeeded


def _wait(running: Session, console: Console, asked: Sequence[Backfill]) -> None:
    columns = (TextColumn("partitions of assets made"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        said = -1
        while any(one.is_done(running.instance) is None for one in asked):
            sight, _ = running.state()
            if sight.sensor_errors:
                return
            made, wanted = map(sum, zip(*(one.progress(running.instance) for one in asked), strict=True))
            progress.update(bar, completed=made, total=wanted)
            tenth = 10 * made // max(wanted, 1)
            if tenth != said and not console.is_terminal:
                console.print(f"partitions of assets made: {made:,} of {wanted:,}", highlight=False)
                said = tenth
            time.sleep(_POLL_SECONDS)
