"""`lastmile up`: start everything, let the sensor and the automation work, show how far they are, stop everything."""

from typing import Annotated

import typer
from rich.console import Console

from lastmile.errors import UserError
from lastmile.running.session import session
from lastmile.running.showing import wait_for_work, work
from lastmile.settings import Settings

_DEFAULT_PORT = 3000


def up(
    once: Annotated[
        bool, typer.Option("--once", help="Work through everything pending, without the web UI, then stop.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(help=f"Port of the web UI [default: {_DEFAULT_PORT}, or the next free one]", min=1, max=65535),
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
        with session(settings, ui_port, fill_empty_landing) as running:
            succeeded = work(running, console)
            while not once:
                console.print(
                    f"web UI  http://127.0.0.1:{ui_port}   (drops are taken as they come; Ctrl-C stops everything)"
                )
                wait_for_work(running)
                work(running, console)
    except KeyboardInterrupt:
        console.print("stopped; `lastmile up` goes on from here")
        raise typer.Exit(130 if once else 0) from None
    if not succeeded:
        raise typer.Exit(1)


def _ui_port(given: int | None) -> int:
    from lastmile.warehouse.embedded import port_is_free

    if given is None:
        return next(port for port in range(_DEFAULT_PORT, 65536) if port_is_free(port))
    if not port_is_free(given):
        raise UserError(f"port {given} is in use; choose another with --port, or leave it out to get a free one")
    return given
