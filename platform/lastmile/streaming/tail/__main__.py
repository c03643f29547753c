"""A connector for log files as a process: `python -m lastmile.streaming.tail NAME [--file PATH]`, until SIGTERM."""

import argparse
import logging
import signal
import sys

from lastmile import telemetry
from lastmile.client import Locked
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.start import start_in_project
from lastmile.streaming.connecting import found, producer
from lastmile.streaming.declarations.connectors import LogFiles
from lastmile.streaming.tail.following import Following
from lastmile.streaming.tail.positions import Positions


def follow(settings: Settings, name: str, files: list[str]) -> None:
    """Until SIGTERM; what is on its way then is waited for. Raises UserError where no file is named."""
    connector, topic = found(settings, name, LogFiles)
    named = files or list(connector.files)
    if not named:
        raise UserError(f"connector {name} names no files: give some, such as --file /var/log/nginx/access.log")
    folder = settings.home / "connectors" / name
    with producer(topic, folder / "journal", discard=True).producer as sending:
        following = Following(connector, named, Positions(folder / "positions.json"), sending)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: following.stop())
        following.run()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m lastmile.streaming.tail", description=__doc__)
    arguments.add_argument("name", help="name of the connector")
    arguments.add_argument("--file", action="append", default=[], help="a file, or a pattern; else those declared")
    given = arguments.parse_args()
    telemetry.start("connector")
    logging.getLogger("lastmile").setLevel(logging.INFO)
    start_in_project()
    try:
        follow(Settings.from_environment(), given.name, given.file)
    except (UserError, Locked) as error:
        sys.exit(f"connector {given.name}: {error}")
