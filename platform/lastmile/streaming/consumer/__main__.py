"""A consumer as a process: `python -m lastmile.streaming.consumer NAME`, as `lastmile up` and an image start it.

It reads the stream until SIGTERM, finishes what it has read, and leaves the group. Its sign of life is its row in
`streams.consumers`. More of them share the partitions of the topic.
"""

import argparse
import logging
import signal
import sys

from lastmile import telemetry
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.start import start_in_project
from lastmile.streaming.start import running


def consume(name: str, until_caught_up: bool) -> None:
    """Until SIGTERM."""
    telemetry.start("stream")
    stream = running(Settings.from_environment(), name, until_caught_up)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stream.stop())
    stream.run()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m lastmile.streaming.consumer", description=__doc__)
    arguments.add_argument("name", help="name of the stream")
    arguments.add_argument("--until-caught-up", action="store_true", help="end when all there is was read")
    given = arguments.parse_args()
    logging.getLogger("lastmile").setLevel(logging.INFO)
    start_in_project()
    try:
        consume(given.name, given.until_caught_up)
    except UserError as error:
        sys.exit(f"stream {given.name}: {error}")
