"""A broker for benchmarks: that of `lastmile up --with kafka`, as a process of its own."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.measuring import Failed

_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Broker:
    """Where it answers, and its process."""

    servers: str
    pid: int

    def make(self, topic: str, partitions: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(_PATIENCE_SECONDS)

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        return float(sum(psutil.Process(self.pid).cpu_times()[:2]))


@contextmanager
def started(folder: Path) -> Iterator[Broker]:
    """Up, with nothing in it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lastmile.embedded.broker", str(port), str(folder)]
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed("the broker did not come up")
            time.sleep(0.05)
        yield Broker(f"127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
