"""Real MQTT brokers for tests: processes of their own, on a port that stays when they are started again.

amqtt is always there. It drops what a client has not acknowledged when its connection ends, which mosquitto does not.
"""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import yaml

_SECONDS = 30


class RunningMqtt:
    """A broker that `command` starts."""

    def __init__(self, port: int, command: list[str], log: Path) -> None:
        self.port, self._command, self._log = port, command, log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(_SECONDS)
            self._process = None

    def publish(self, topic: str, payloads: Iterable[bytes], **more: Any) -> None:
        """With QoS 1: they are the broker's when this returns."""

        async def published() -> None:
            async with aiomqtt.Client("127.0.0.1", self.port, **more) as client:
                for payload in payloads:
                    await client.publish(topic, payload, qos=1, timeout=_SECONDS)

        asyncio.run(published())

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


ANONYMOUS: Mapping[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


@contextmanager
def running_mqtt(
    folder: Path, listener: Mapping[str, Any] | None = None, plugins: Mapping[str, Any] = ANONYMOUS
) -> Iterator[RunningMqtt]:
    """amqtt: `listener` is what its one is set up with, `plugins` those that it has."""
    port, config = _free_port(), folder / "amqtt.yaml"
    own = {"type": "tcp", "bind": f"127.0.0.1:{port}", **(listener or {})}
    config.write_text(yaml.safe_dump({"listeners": {"default": own}, "plugins": dict(plugins)}))
    command = [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(config)]
    with _up(RunningMqtt(port, command, folder / "amqtt.log")) as broker:
        yield broker


@contextmanager
def running_mosquitto(folder: Path) -> Iterator[RunningMqtt]:
    """The test is skipped where the machine has none."""
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("needs mosquitto: apt-get install mosquitto")
    port, config = _free_port(), folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    with _up(RunningMqtt(port, [program, "-c", str(config)], folder / "mosquitto.log")) as broker:
        yield broker


@contextmanager
def _up(broker: RunningMqtt) -> Iterator[RunningMqtt]:
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
