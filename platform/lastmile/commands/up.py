"""`lastmile up`: start everything, let the sensor and the automation work, show how far they are, stop everything."""

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from lastmile.errors import UserError
from lastmile.running.display import headline, progress, report
from lastmile.running.session import Session, session
from lastmile.running.watching import Sight
from lastmile.settings import Settings

_POLL_SECONDS = 1.0
_DEFAULT_PORT = 3000


def up(
    once: Annotated[
        bool, typer.Option("--once", help="Work through everything pending, without the web UI, then stop.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help=f"Port of the web UI [default: {_DEFAULT_PORT}, or the next free one]", min=1, max=65535)
    ] = None,
) -> None:
    """Start the platform and carry every waiting drop to predictions and a report.

    An empty landing area is filled with sample drops first. Ctrl-C stops everything; running it again goes on where it
    was and repeats nothing. With --once the exit code is 0 only if all of it succeeded.

    Example: lastmile up --port 3001
    """
    from lastmile.commands.sample import fill_empty_landing

    settings, console = Settings.from_environment(), Console()
    ui_port = None if once else _ui_port(port)
    console.print(f"starting the platform in {settings.home} ...")
    try:
        with session(settings, ui_port, lambda settings, store: fill_empty_landing(settings, store, console)) as running:
            succeeded = _work(running, console)
            while not once:
                _say_where(running, console, ui_port)
                _wait_for_work(running)
                _work(running, console)
    except KeyboardInterrupt:
        console.print("stopped; `lastmile up` goes on from here")
        raise typer.Exit(130 if once else 0) from None
    if not succeeded:
        raise typer.Exit(1)


def _ui_port(given: int | None) -> int:
    from lastmile.running.processes import port_is_free

    if given is None:
        return next(port for port in range(_DEFAULT_PORT, 65536) if port_is_free(port))
    if not port_is_free(given):
        raise UserError(f"port {given} is in use; choose another with --port, or leave it out to get a free one")
    return given


def _work(running: Session, console: Console) -> bool:
    """Show the work until nothing is left to do; false where something failed or is left over."""
    said = ""
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            sight, state = running.look()
            if sight.settled or sight.sensor_errors:
                break
            if console.is_terminal:
                live.update(progress(state, sight), refresh=True)
            elif (line := headline(state, sight)) != said:
                console.print(said := line)
            time.sleep(_POLL_SECONDS)
    return _conclude(running, console, sight, state)


def _conclude(running: Session, console: Console, sight: Sight, state: dict[str, Any]) -> bool:
    report(console, state)
    if not sight.finished and not sight.failed:
        console.print("nothing to do: every drop is settled, and everything made from them is current")
    failed = state["drops"].get("failed", 0)
    faults = [
        *sight.sensor_errors,
        *([f"{len(sight.failed)} runs failed; their logs are in the UI (`lastmile up`)"] if sight.failed else []),
        *([f"{state['backlog']} drops are still waiting; see `lastmile status`"] if state["backlog"] else []),
        *([f"{failed} drops failed; see `lastmile quarantine show`"] if failed else []),
    ]
    for fault in faults:
        console.print(f"[red]{fault}[/red]")
    console.print(f"objects {running.store.url}\nstate   {running.settings.home}")
    return not faults


def _say_where(running: Session, console: Console, ui_port: int | None) -> None:
    console.print(f"web UI  http://127.0.0.1:{ui_port}   (Ctrl-C stops everything; drops are taken as they come)")
    running.started_at = time.time()


def _wait_for_work(running: Session) -> None:
    while True:
        sight, state = running.look()
        if sight.working or sight.queued or sight.backfills or state["backlog"] or sight.finished or sight.failed:
            return
        time.sleep(_POLL_SECONDS)
