"""Showing the work of a session until nothing is left to do, and then what came of it."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live

from lastmile.cli.progress.tables import headline, progress, report
from lastmile.embedded.session import Session
from lastmile.orchestration.activity import Activity

_POLL_SECONDS = 1.0
#: Looking costs queries; whether everything is alive is asked at each poll.
_IDLE_POLLS = 5


def work(running: Session, console: Console) -> bool:
    """Show the work until nothing is left to do; false where something failed or is left over."""
    said = ""
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            sight, state = running.state()
            if sight.settled or sight.sensor_errors:
                break
            if console.is_terminal:
                live.update(progress(state, sight), refresh=True)
            elif (line := headline(state, sight)) != said:
                console.print(line)
                said = line
            time.sleep(_POLL_SECONDS)
    return _conclude(running, console, sight, state)


def wait_for_work(running: Session) -> None:
    """Return once a drop waits or a run is asked for."""
    running.start_counting()
    while True:
        sight, state = running.state()
        if sight.working or sight.queued or sight.backfills or state["backlog"] or sight.finished or sight.failed:
            return
        for _ in range(_IDLE_POLLS):
            time.sleep(_POLL_SECONDS)
            running.keep_up()


def _conclude(running: Session, console: Console, sight: Activity, state: Mapping[str, Any]) -> bool:
    report(console, state)
    if not sight.finished and not sight.failed:
        console.print("nothing to do: every drop is settled, and everything made from them is current")
    faults = _faults(sight, state)
    for fault in faults:
        console.print(fault, style="red")
    console.print(f"objects {running.store.url}\nstate   {running.settings.home}", highlight=False)
    return not faults


def _faults(sight: Activity, state: Mapping[str, Any]) -> list[str]:
    failed_drops = state["drops"].get("failed", 0)
    return [
        *sight.sensor_errors,
        *([f"{len(sight.failed)} runs failed; their logs are in the UI of `lastmile up`"] if sight.failed else []),
        *([f"{state['backlog']} drops are still waiting; see `lastmile status`"] if state["backlog"] else []),
        *([f"{failed_drops} drops failed; see `lastmile quarantine show`"] if failed_drops else []),
    ]
