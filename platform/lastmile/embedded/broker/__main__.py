"""The broker as a process: `python -m lastmile.embedded.broker 9092 <folder>`, as `lastmile up --with kafka` has it."""

import argparse
import asyncio
import logging
import resource
import signal
from pathlib import Path

import uvloop

from lastmile.embedded.broker.broker import Broker
from lastmile.embedded.broker.connection import Connection
from lastmile.errors import UserError

HOST = "127.0.0.1"
_TICK_SECONDS = 0.1
_RETENTION_SECONDS = 60.0


async def serve(folder: Path, port: int) -> None:
    """Answer until SIGTERM or SIGINT."""
    broker, loop, stop = Broker(folder, HOST, port), asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: Connection(broker), HOST, port)
    async with asyncio.TaskGroup() as group:
        timers = [group.create_task(_tick(broker)), group.create_task(_retain(broker))]
        await stop.wait()
        server.close()
        for timer in timers:
            timer.cancel()
    broker.close()


async def _tick(broker: Broker) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        broker.groups.tick()


async def _retain(broker: Broker) -> None:
    while True:
        for topic in broker.topics.all():
            topic.retain()
        await asyncio.sleep(_RETENTION_SECONDS)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m lastmile.embedded.broker", description=__doc__)
    arguments.add_argument("port", type=int)
    arguments.add_argument("folder", type=Path)
    given = arguments.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each segment of each partition is an open file
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        uvloop.run(serve(given.folder, given.port))
    except (UserError, OSError) as error:
        raise SystemExit(f"lastmile: {error}") from None
