"""The API as a process: `python -m lastmile.serving 3100`, as `lastmile up` and an image start it.

The database and the store are those of the environment; nothing is migrated or started.
"""

import argparse

from lastmile.errors import UserError
from lastmile.serving.app import EVERYTHING, PREDICTIONS
from lastmile.serving.server import HOST, serve
from lastmile.serving.state import Serving
from lastmile.settings.start import check_at_start

if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m lastmile.serving", description=__doc__)
    arguments.add_argument("port", type=int)
    arguments.add_argument("--host", default=HOST)
    arguments.add_argument("--only-predictions", action="store_true")
    arguments.add_argument("--replace", action="store_true", help="once it answers, end who had the port")
    given = arguments.parse_args()
    check_at_start()
    parts = PREDICTIONS if given.only_predictions else EVERYTHING
    try:
        serve(Serving.from_environment(), given.port, given.host, parts, given.replace)
    except UserError as error:
        raise SystemExit(f"lastmile: {error}") from None
