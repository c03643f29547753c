"""A real broker for tests: a process of its own on a free port, whose records stay when it is killed.

def test_...(kafka: RunningBroker) -> None:          # one for all tests of the worker; topics have names of their own
    topic = kafka.new_topic(partitions=4)
    with kafka.producer() as producer: ...

def test_...(killable_kafka: RunningBroker) -> None:  # one of this test's own
    killable_kafka.kill()
    killable_kafka.start()
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

_numbers = itertools.count(1)
_SECONDS = 30


class RunningBroker:
    """The broker on `folder`. Its port stays the same when it is started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def servers(self) -> str:
        """For `bootstrap.servers` and LASTMILE_KAFKA_URL."""
        return f"127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        """What starts it."""
        return [sys.executable, "-m", "lastmile.embedded.broker", str(self.port), str(self.folder)]

    def start(self) -> None:
        """Return once it answers."""
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.folder.parent / f"{self.folder.name}.log").read_text()
            assert time.monotonic() < deadline, f"the broker did not come up within {_SECONDS} s"
            time.sleep(0.02)

    def kill(self) -> None:
        """As `kill -9` does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As `lastmile down` does."""
        self._end(signal.SIGTERM)

    def new_topic(self, partitions: int = 1, **configs: Any) -> str:
        """The name of a topic that no other test uses; `max_message_bytes=...` is max.message.bytes."""
        name = f"topic-{os.getpid()}-{next(_numbers)}"
        given = {key.replace("_", "."): str(value) for key, value in configs.items()}
        admin = self.admin()  # its requests end with it
        admin.create_topics([NewTopic(name, partitions, 1, config=given)])[name].result(_SECONDS)
        return name

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers, **_quiet()})

    @contextmanager
    def producer(self, **configs: Any) -> Iterator[Producer]:
        """An idempotent producer; all is delivered, or the test fails, at the end."""
        given = {key.replace("_", "."): value for key, value in configs.items()}
        defaults = {"bootstrap.servers": self.servers, "enable.idempotence": True, "linger.ms": 1}
        producer = Producer({**defaults, **_quiet(), **given})
        yield producer
        assert producer.flush(_SECONDS) == 0, "not all messages were delivered"

    def send(self, topic: str, values: Iterable[bytes | None], partition: int = 0) -> None:
        """Deliver the values to one partition, in their order."""
        with self.producer() as producer:
            for value in values:
                producer.produce(topic, value, partition=partition)
                producer.poll(0)

    def read(self, topic: str, count: int, partition: int = 0, offset: int = 0) -> list[Message]:
        """So many messages of a partition from an offset on."""
        own: dict[str, Any] = {"group.id": "reading", "fetch.queue.backoff.ms": 10}
        consumer = Consumer({"bootstrap.servers": self.servers, **own, **_quiet()})
        consumer.assign([TopicPartition(topic, partition, offset)])
        found: list[Message] = []
        deadline = time.monotonic() + _SECONDS
        while len(found) < count and time.monotonic() < deadline:
            found += consumer.consume(min(count - len(found), 10_000), 0.2)
        consumer.close()
        return found

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(_SECONDS)
            self.process = None


@contextmanager
def running_broker(folder: Path) -> Iterator[RunningBroker]:
    """A broker that is up, and is killed at the end."""
    broker = RunningBroker(folder)
    broker.start()
    yield broker
    broker.kill()


def _quiet() -> dict[str, Any]:
    """Lost connections are expected where brokers are killed."""
    return {"log_level": 0, "reconnect.backoff.max.ms": 200}
