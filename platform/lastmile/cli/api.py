"""`lastmile api`: the HTTP API alone, alongside a platform that is up, or by itself."""

import os
import signal
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console

from lastmile.embedded.ports import API_PORT, choose
from lastmile.errors import UserError
from lastmile.settings import Settings


def api(
    port: Annotated[
        int | None,
        typer.Option(help=f"Port of the API (default: {API_PORT}, or the next free one)", min=1, max=65535),
    ] = None,
    host: Annotated[str, typer.Option(help="Address it listens on; others than this machine's need users.")] = (
        "127.0.0.1"
    ),
    only_predictions: Annotated[
        bool, typer.Option("--only-predictions", help="Answer predictions and nothing else, in a small process.")
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Once this one answers, end the `lastmile api` that has the port.")
    ] = False,
) -> None:
    """Serve the HTTP API: drops in, answers out. `lastmile up` does so too. Ctrl-C stops it.

    The documentation is at /docs. Every request needs an API key (`lastmile keys create`) or a sign-in.

    Example: lastmile api --port 3100
    """
    from lastmile.access.setup import first_secret
    from lastmile.embedded.database import database
    from lastmile.embedded.services import environment
    from lastmile.serving.app import EVERYTHING, PREDICTIONS
    from lastmile.serving.server import serve
    from lastmile.serving.state import Serving
    from lastmile.settings.all import check
    from lastmile.settings.api import ApiSettings
    from lastmile.settings.start import warn_of_unknown
    from lastmile.store import open_store
    from lastmile.warehouse.connections import connect
    from lastmile.warehouse.migrate import migrate

    warn_of_unknown()
    check()
    settings, console = Settings.from_environment(), Console()
    chosen = _replaced(settings, port or API_PORT) if replace else choose(port, API_PORT, "--port")
    store = open_store(settings)
    with database(settings) as url:
        os.environ.update(environment(settings, url))  # for the engine's processes
        migrate(url)
        here = Serving(settings, ApiSettings.from_environment(), store, url)
        with connect(url) as connection:
            secret = first_secret(connection, here.secret)
        if secret:
            show_first_secret(console, secret)
        console.print(f"API  http://{host}:{chosen}   documentation at /docs   (Ctrl-C stops it)", highlight=False)
        # The server raises the signal that ended it once more: a database started for this must be stopped even so.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            serve(here, chosen, host, PREDICTIONS if only_predictions else EVERYTHING, replace)


def _replaced(settings: Settings, port: int) -> int:
    """Raises UserError where what answers on it is kept up by `lastmile up`, which would start it again."""
    from lastmile.embedded.home_lock import holder
    from lastmile.operations.health.endpoints import endpoints

    if holder(settings) is not None and endpoints(settings.home).get("api") == port:
        raise UserError(f"port {port} is the API of the platform that is up, which keeps it up; choose another")
    return port


def show_first_secret(console: Console, secret: str) -> None:
    """Printed once in the life of a database."""
    console.print(
        f"first admin's secret, shown this once: {secret}\n"
        "  use it at POST /api/v1/auth/setup, or add users here with `lastmile users add NAME --role admin`",
        highlight=False,
    )
