"""A process for each stream that is declared, or for those named: `python -m lastmile.streaming.consumers [NAME...]`.

For a container that reads all streams of an installation. A process that ends is started again, after a wait that
grows while it ends at once; one that is broken does not keep the others from their work. SIGTERM is passed on, and its
end waited for.
"""

import argparse
import logging
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

from lastmile.contracts.loading import load_contracts
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.start import start_in_project
from lastmile.streaming.declarations.loading import load_streams

log = logging.getLogger("lastmile.streaming.consumers")

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
#: What lived for longer has done some work: the next wait is the first one again.
_LIVED_SECONDS = 60.0


def declared(settings: Settings) -> list[str]:
    """The names of all streams; a file that declares none is said, and left out."""
    found = load_streams(settings.assets, load_contracts(settings.assets))
    for broken in found.broken:
        log.error("%s", broken)
    return list(found)


def keep(name: str, command: Sequence[str], stop: threading.Event) -> None:
    """Run the command, again and again, until stopped; then end it."""
    wait = _FIRST_WAIT
    while not stop.is_set():
        began = time.monotonic()
        process = subprocess.Popen(command)
        while process.poll() is None and not stop.wait(0.2):
            pass
        if process.poll() is None:
            process.terminate()
            process.wait()
            return
        wait = _FIRST_WAIT if time.monotonic() - began > _LIVED_SECONDS else min(2 * wait, _LONGEST_WAIT)
        log.error("the process of stream %s ended with %s and is started again", name, process.returncode)
        stop.wait(wait * random.uniform(0.5, 1.0))  # noqa: S311  # no secret


def consume(names: Sequence[str], stop: threading.Event, command: Callable[[str], Sequence[str]]) -> None:
    """A process for each name, until stopped and all have ended."""
    threads = [threading.Thread(target=keep, args=[name, command(name), stop], name=name) for name in names]
    for thread in threads:
        thread.start()
    stop.wait()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m lastmile.streaming.consumers", description=__doc__)
    arguments.add_argument("names", nargs="*", help="streams; all that are declared unless given")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = arguments.parse_args().names
    start_in_project()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        wanted = given or declared(Settings.from_environment())
    except UserError as error:
        sys.exit(f"streams: {error}")
    log.info("streams: %s", ", ".join(wanted) or "none is declared")
    consume(wanted, stopped, lambda name: [sys.executable, "-m", "lastmile.streaming.consumer", name])
