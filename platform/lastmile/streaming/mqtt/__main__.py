"""An MQTT connector as a process: `python -m lastmile.streaming.mqtt NAME`, until SIGTERM."""

import argparse
import asyncio
import logging
import signal
import sys

from lastmile import telemetry
from lastmile.client import Locked
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.group import load
from lastmile.settings.mqtt import MqttSettings
from lastmile.settings.start import start_in_project
from lastmile.streaming.connecting import found, producer
from lastmile.streaming.declarations.connectors import Mqtt
from lastmile.streaming.mqtt.bridge import Bridge


async def carry(settings: Settings, name: str) -> None:
    """Until SIGTERM; what is on its way then is waited for."""
    connector, topic = found(settings, name, Mqtt)
    async with producer(topic, settings.home / "connectors" / name, discard=False) as sending:
        bridge = Bridge(connector, load(MqttSettings), sending)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, bridge.stop)
        await bridge.run()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(prog="python -m lastmile.streaming.mqtt", description=__doc__)
    arguments.add_argument("name", help="name of the connector")
    given = arguments.parse_args()
    telemetry.start("connector")
    logging.getLogger("lastmile").setLevel(logging.INFO)
    start_in_project()
    try:
        asyncio.run(carry(Settings.from_environment(), given.name))
    except (UserError, Locked) as error:
        sys.exit(f"connector {given.name}: {error}")
