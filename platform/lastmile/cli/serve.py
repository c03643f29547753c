"""`lastmile serve`: the HTTP API alone, alongside a platform that is up, or by itself."""

from typing import Annotated

import typer
from rich.console import Console

from lastmile.embedded.ports import API_PORT, choose
from lastmile.settings import Settings


def serve(
    port: Annotated[
        int | None,
        typer.Option(help=f"Port of the API (default: {API_PORT}, or the next free one)", min=1, max=65535),
    ] = None,
) -> None:
    """Answer over HTTP how things stand: /status, /drops, /metrics and more. `lastmile up` does so too.

    Only this machine is answered; nothing can be changed. Ctrl-C stops it.

    Example: lastmile serve --port 3100
    """
    from lastmile.embedded.database import database
    from lastmile.serving.server import HOST
    from lastmile.serving.server import serve as answer
    from lastmile.store import open_store
    from lastmile.warehouse.migrate import migrate

    settings = Settings.from_environment()
    chosen = choose(port, API_PORT, "--port")
    store = open_store(settings)
    with database(settings) as url:
        migrate(url)
        Console().print(f"API  http://{HOST}:{chosen}   (Ctrl-C stops it)", highlight=False)
        answer(url, store, chosen)
