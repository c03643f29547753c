"""`python -m lastmile.sources.changes NAME`: follows one source until it is stopped, whatever goes away meanwhile.

Where the source or our own database is away, or the source cannot be followed as it is, it waits and tries again: it is
seen in `lastmile source show NAME`, and goes on by itself once that is mended.
"""

import logging
import random
import signal
import sys
import threading
from collections.abc import Callable

import psycopg

from lastmile import telemetry
from lastmile.contracts import Contract
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.start import start_in_project
from lastmile.sources.changes.running import expect_changes, run_changes
from lastmile.sources.declarations.changes import Changes
from lastmile.sources.declared import find
from lastmile.warehouse.connections import connect, database_url

#: Between tries, doubled each time.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0

log = logging.getLogger("lastmile.sources.changes")


def keep_following(url: str, declared: Callable[[], tuple[Changes, Contract]], stop: threading.Event) -> None:
    """Until it is stopped; as it is declared at each try."""
    wait = FIRST_WAIT
    while not stop.is_set():
        try:
            source, contract = declared()
            with connect(url) as connection:
                ran = run_changes(connection, source, contract, until_caught_up=False, stop=stop)
            wait = FIRST_WAIT
            log.info("source %s: %s changes", source.name, ran.records)
        except (UserError, psycopg.Error) as error:
            log.warning("%s", " ".join(str(error).split()))
            stop.wait(wait * random.uniform(0.8, 1.2))  # noqa: S311  # no secret
            wait = min(2 * wait, LONGEST_WAIT)


def _main(name: str) -> int:
    start_in_project()
    telemetry.start(f"changes-{name}")
    settings, stop = Settings.from_environment(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())

    def declared() -> tuple[Changes, Contract]:
        found, contract = find(name, settings.assets)
        return expect_changes(found, name), contract

    keep_following(database_url(settings), declared, stop)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
