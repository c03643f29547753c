"""The embedded broker, and topics that are filled once and read by every contender."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.measuring import Failed
from benchmarks.streams.events import messages

_SECONDS = 60.0


@dataclass(frozen=True)
class Topic:
    """`events` of them, as single messages or in envelopes."""

    servers: str
    name: str
    partitions: int
    form: str
    events: int


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """The address of a broker that is gone at the end."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lastmile.embedded.broker", str(port), str(folder)]
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            _answers(port)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


def create(servers: str, name: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": servers})  # its requests end with it
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(_SECONDS)


def filled(servers: str, partitions: int, form: str, events: int, name: str = "") -> Topic:
    """A new topic, its events spread over the partitions in turn."""
    name = name or f"{form}-{partitions}"
    create(servers, name, partitions)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20, "batch.size": 1_000_000, "log_level": 0})
    for number, message in enumerate(messages(events, form)):
        while True:
            try:
                producer.produce(name, message, partition=number % partitions)
                break
            except BufferError:
                producer.poll(0.1)
    if left := producer.flush(_SECONDS):
        raise Failed(f"{left:,} messages were not delivered")
    return Topic(servers, name, partitions, form, events)


def _answers(port: int) -> None:
    deadline = time.monotonic() + _SECONDS
    while not _does_answer(port):
        if time.monotonic() > deadline:
            raise Failed("the broker did not come up")
        time.sleep(0.05)


def _does_answer(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
