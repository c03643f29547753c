"""Waiting for requested drops to be ingested again: by the platform that is up, or by one started for it."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from lastmile.cli.progress.live import show_work
from lastmile.embedded.home_lock import holder
from lastmile.embedded.session import session
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.ledger.query import DropResult

_POLL_SECONDS = 1.0
_SHOWN = 20
#: How the message of a drop begins that stayed as it was.
_NOT_DONE = ("not released", "not redone", "not filled", "not re-ingested")


def await_results(settings: Settings, console: Console, drops: Sequence[int]) -> bool:
    """Wait until the requested drops were ingested again and show their results; false where something failed."""
    from lastmile.embedded.database import running_url
    from lastmile.ledger.query import results
    from lastmile.warehouse.connections import connect

    if holder(settings) is None:
        console.print(f"no platform is up in {settings.home}: starting one for this ...", highlight=False)
        with session(settings, None) as running:
            succeeded = show_work(running, console)
            with connect(running.database_url) as connection:
                return _show(console, results(connection, drops)) and succeeded
    with connect(running_url(settings)) as connection:
        with console.status("waiting for the running platform; Ctrl-C leaves it to that"):
            while any(found.is_requested for found in results(connection, drops)):
                time.sleep(_POLL_SECONDS)
        return _show(console, results(connection, drops))


def counts(drop: "DropResult") -> str:
    """`read 6, loaded 3, quarantined 3, duplicate 0`."""
    return (
        f"read {drop.rows_read:,}, loaded {drop.rows_loaded:,}, quarantined {drop.rows_quarantined:,},"
        f" duplicate {drop.rows_duplicate:,}"
    )


def _show(console: Console, results: "Sequence[DropResult]") -> bool:
    for found in results[:_SHOWN]:
        message = f": {found.message}" if found.message else ""
        line = f"drop {found.id} {found.key} is {found.state} ({counts(found)}){message}"
        console.print(line, markup=False, highlight=False)
    if len(results) > _SHOWN:
        console.print(f"... and {len(results) - _SHOWN:,} more drops")
    return not any(found.is_requested or (found.message or "").startswith(_NOT_DONE) for found in results)
