"""Serving the API until the process is stopped."""

import uvicorn

from lastmile.serving.app import make_app
from lastmile.store import Store

HOST = "127.0.0.1"


def serve(database_url: str, store: Store, port: int) -> None:
    """Answer on this machine's own address; returns after SIGTERM or Ctrl-C, when open requests are answered."""
    app = make_app(database_url, store)
    uvicorn.run(app, host=HOST, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=5)
