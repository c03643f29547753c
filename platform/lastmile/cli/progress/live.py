"""Showing the work of a session until nothing is left to do, and then what came of it."""

import time
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from lastmile.cli.progress.tables import headline, progress, report
from lastmile.embedded.faults import code_faults, does_not_load
from lastmile.embedded.session import Session
from lastmile.orchestration.activity import Activity
from lastmile.orchestration.failures import failures_in_code

if TYPE_CHECKING:
    from lastmile.store import Store

_POLL_SECONDS = 1.0
_IDLE_SECONDS = 2.0
#: The code server is asked whether the code loads at each of so many polls.
_CODE_POLLS = 5
_FAILURES_SHOWN = 5


def show_work(running: Session, console: Console) -> bool:
    """Show the work until nothing is left to do; false where something failed or is left over."""
    said = ""
    with Live(console=console, transient=True, auto_refresh=False) as live:
        for poll in count():
            activity, state = running.state()
            is_asked = poll % _CODE_POLLS == 0
            if activity.settled or activity.sensor_errors or (is_asked and _is_without_code(running, activity)):
                break
            if console.is_terminal:
                live.update(progress(state, activity), refresh=True)
            elif (line := headline(state, activity)) != said:
                console.print(line)
                said = line
            time.sleep(_POLL_SECONDS)
    return _conclude(running, console, activity, state)


def _is_without_code(running: Session, activity: Activity) -> bool:
    """Whether nothing can ever happen: no sensor ticks while the code as a whole does not load."""
    is_idle = not (activity.working or activity.queued or activity.backfills or activity.finished)
    return is_idle and does_not_load(running.settings)


def wait_for_work(running: Session) -> None:
    """Return once there is something to do: a drop waits, a run or a backfill is requested."""
    running.start_counting()
    before = running.standing()
    while True:
        time.sleep(_IDLE_SECONDS)
        now = running.standing()
        if now and before and now.is_busy(before):
            return
        before = before or now


def _conclude(running: Session, console: Console, activity: Activity, state: Mapping[str, Any]) -> bool:
    report(console, state)
    faults = [*code_faults(running.settings), *_faults(running, activity, state)]
    if not faults and not activity.finished:
        console.print("nothing to do: every drop is settled, and everything made from them is current")
    for fault in faults:
        console.print(fault, style="red", markup=False, highlight=False)
    places = [("report ", page) for page in reports(running.store)]
    places += [("objects", running.store.url), ("state  ", str(running.settings.home))]
    for name, place in places:
        console.print(f"{name} {place}", markup=False, highlight=False, soft_wrap=True)
    return not faults


def _faults(running: Session, activity: Activity, state: Mapping[str, Any]) -> list[str]:
    failed_drops = state["drops"].get("failed", 0)
    failures = failures_in_code(running.instance, running.settings.dagster_home / "workspace.yaml")
    return [
        *activity.sensor_errors,
        *(f"{failure}\n  make it again: {failure.command()}" for failure in failures[:_FAILURES_SHOWN]),
        *([f"and {len(failures) - _FAILURES_SHOWN} more runs"] if len(failures) > _FAILURES_SHOWN else []),
        *([f"{state['backlog']} drops are still waiting; see `lastmile status`"] if state["backlog"] else []),
        *([f"{failed_drops} drops failed; see `lastmile quarantine show`"] if failed_drops else []),
    ]


def reports(store: "Store") -> list[str]:
    """Where the newest of each report is, as a path where the store is a folder."""
    newest = sorted({listed.key for listed in store.list("reports") if listed.key.endswith("/latest.html")})
    return [f"{store.url}/{key}".removeprefix("file://") for key in newest]
