"""Serving the API until the process is stopped."""

from collections.abc import Sequence

import uvicorn
from fastapi import FastAPI

from lastmile import telemetry
from lastmile.serving.app import EVERYTHING, make_app
from lastmile.serving.state import Serving
from lastmile.telemetry.metrics import Work
from lastmile.telemetry.spans import listen

HOST = "127.0.0.1"
#: How long open requests are waited for at the end.
_GRACE_SECONDS = 20


def configured(app: FastAPI, port: int, host: str = HOST) -> uvicorn.Config:
    """How the app is served wherever it is."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        log_config=None,  # the process's own
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=75,
        backlog=4_096,
    )


def serve(here: Serving, port: int, host: str = HOST, parts: Sequence[str] = EVERYTHING) -> None:
    """Returns after SIGTERM or Ctrl-C, when open requests are answered."""
    telemetry.start("api")
    app = make_app(here, parts)
    listen(Work(app.state.observed.registry))
    uvicorn.Server(configured(app, port, host)).run()
