"""The watcher as a process: `python -m lastmile.operations.watching 3200`, as `lastmile up` and an image start it.

It answers `/metrics` on that port, evaluates alerts every `LASTMILE_ALERTS_SECONDS`, and ends on SIGTERM after the look
it is at. One that hangs ends itself: what keeps it up starts it again.
"""

import argparse
import logging
import os
import signal
import sys
import threading

from lastmile import telemetry
from lastmile.errors import UserError
from lastmile.operations.metrics.exporter import HOST, serve
from lastmile.operations.watching.readings.processes import Addresses
from lastmile.operations.watching.watcher import Watched, Watcher
from lastmile.settings import Settings
from lastmile.settings.alerts import AlertSettings, PlatformLimits
from lastmile.settings.group import load
from lastmile.settings.start import check_at_start
from lastmile.warehouse.connections import database_url

log = logging.getLogger("lastmile.watcher")

#: No look lasts so long.
_HANGS_SECONDS = 300.0
_HUNG = 70


def watch(port: int, addresses: Addresses, host: str = HOST) -> None:
    """Until SIGTERM."""
    telemetry.start("watcher")
    settings, alerting, stop = Settings.from_environment(), load(AlertSettings), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database_url(settings)  # is given, whether it answers or not
    watcher = Watcher(Watched(settings, alerting, load(PlatformLimits), addresses), log.info)
    serve(settings, port, host)
    while not stop.is_set():
        hanging = threading.Timer(_HANGS_SECONDS, os._exit, [_HUNG])
        hanging.daemon = True
        hanging.start()
        try:
            watcher.look()
        except Exception:  # the next look may do better, and a watcher that is gone warns of nothing
            log.exception("a look failed")
        hanging.cancel()
        stop.wait(alerting.seconds)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m lastmile.operations.watching", description=__doc__)
    arguments.add_argument("port", type=int)
    arguments.add_argument("--host", default=HOST, help="where it listens")
    arguments.add_argument("--api", help="watched as well, such as http://127.0.0.1:3100")
    arguments.add_argument("--web-ui", help="such as http://127.0.0.1:3000")
    arguments.add_argument("--code-server", help="such as 127.0.0.1:4000")
    given = arguments.parse_args()
    check_at_start()
    try:
        watch(given.port, Addresses(given.api, given.web_ui, given.code_server), given.host)
    except UserError as error:  # a setting: what goes wrong later is said and tried again
        sys.exit(f"watcher: {error}")
