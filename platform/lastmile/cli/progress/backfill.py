"""A backfill from request to end: shown while it runs, and what it changed."""

import time
from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lastmile.cli.progress.live import show_work
from lastmile.cli.progress.row_changes import counted, summary
from lastmile.embedded.session import Session
from lastmile.orchestration.backfills import Backfill
from lastmile.orchestration.launches import RequestBackfill

_POLL_SECONDS = 1.0


def run_backfills(
    running: Session, console: Console, requests: Sequence[RequestBackfill], first: date, after: date
) -> bool:
    """Request, wait until it and what is downstream is made, and show what changed in the partitions of these days.

    False where something failed. To stop waiting stops nothing else: the daemon goes on with the backfills.
    """
    from lastmile.warehouse.connections import connect

    requested = [request(running.instance, running.settings.dagster_home / "workspace.yaml") for request in requests]
    keys = [key for one in requested for key in one.keys]
    with connect(running.database_url) as connection:
        before = counted(connection, keys, first, after)
    names = ", ".join(one.backfill_id for one in requested)
    console.print(
        f"backfill {names}: Ctrl-C leaves it to the platform, `--resume` requests what failed", highlight=False
    )
    _wait(running, console, requested)
    succeeded = show_work(running, console) and all(one.is_done(running.instance) for one in requested)
    with connect(running.database_url) as connection:
        console.print(summary(before, counted(connection, keys, first, after)))
    for left in filter(None, (one.left(running.instance) for one in requested)):
        console.print(left, highlight=False)
    return succeeded


def run_to_end(running: Session, console: Console, request: RequestBackfill) -> bool:
    """Request and wait until it is made, whatever else is under way or fails; False where it was not made."""
    requested = request(running.instance, running.settings.dagster_home / "workspace.yaml")
    _wait(running, console, [requested])
    return bool(requested.is_done(running.instance))


def _wait(running: Session, console: Console, requested: Sequence[Backfill]) -> None:
    columns = (TextColumn("partitions of assets made"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        said = -1
        while any(one.is_done(running.instance) is None for one in requested):
            activity, _ = running.state()
            if activity.sensor_errors:
                return
            made, wanted = map(sum, zip(*(one.progress(running.instance) for one in requested), strict=True))
            progress.update(bar, completed=made, total=wanted)
            tenth = 10 * made // max(wanted, 1)
            if tenth != said and not console.is_terminal:
                console.print(f"partitions of assets made: {made:,} of {wanted:,}", highlight=False)
                said = tenth
            time.sleep(_POLL_SECONDS)
