"""Seeing drops through that somebody asked to be taken again: by the platform that is up, or by one started for it."""

import time
from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from rich.console import Console

from lastmile.cli.progress.live import work
from lastmile.embedded.home_lock import holder
from lastmile.embedded.session import session
from lastmile.settings import Settings

_POLL_SECONDS = 1.0
_SHOWN = 20
#: How the engine begins to tell that a drop stayed as it was.
_NOT_DONE = ("not released", "not redone", "not filled")


def carry_out(settings: Settings, console: Console, drops: Sequence[int]) -> bool:
    """Wait until the drops asked for were taken again and show what came of them; false where something failed."""
    from lastmile.embedded.database import running_url
    from lastmile.warehouse.connections import connect

    if holder(settings) is None:
        console.print(f"no platform is up in {settings.home}: starting one for the while ...", highlight=False)
        with session(settings, None) as running:
            succeeded = work(running, console)
            with connect(running.database_url) as connection:
                return _show(console, _results(connection, drops)) and succeeded
    with connect(running_url(settings)) as connection:
        with console.status("waiting for the running platform; Ctrl-C leaves it to that"):
            while any(found["is_asked_for"] for found in _results(connection, drops)):
                time.sleep(_POLL_SECONDS)
        return _show(console, _results(connection, drops))


def _results(connection: Connection, drops: Sequence[int]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT id, key, state, message, retake IS NOT NULL OR refill IS NOT NULL AS is_asked_for,
                rows_read, rows_loaded, rows_quarantined, rows_duplicate
            FROM ledger.drops WHERE id = ANY(%s) ORDER BY id
            """,
            [list(drops)],
        ).fetchall()


def _show(console: Console, results: Sequence[dict[str, Any]]) -> bool:
    for found in results[:_SHOWN]:
        counts = ", ".join(
            f"{name} {found[f'rows_{name}']:,}" for name in ("read", "loaded", "quarantined", "duplicate")
        )
        message = f": {found['message']}" if found["message"] else ""
        told = f"drop {found['id']} {found['key']} is {found['state']} ({counts}){message}"
        console.print(told, markup=False, highlight=False)
    if len(results) > _SHOWN:
        console.print(f"... and {len(results) - _SHOWN:,} more drops")
    return not any(found["is_asked_for"] or (found["message"] or "").startswith(_NOT_DONE) for found in results)
