"""The API as a process of `lastmile up`: `python -m lastmile.serving <port>`."""

import sys

from lastmile.serving.server import serve
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.connections import database_url

if __name__ == "__main__":
    settings = Settings.from_environment()
    serve(database_url(settings), open_store(settings), int(sys.argv[1]))
