"""Puts the events into a topic: as fast as it goes, or at a steady rate, as a process of its own.

python -m benchmarks.stream_peers.producing SERVERS TOPIC EVENTS PARTITIONS FORM [EVENTS_A_SECOND]

With a rate it prints on its last line, as JSON, when each thousandth event was handed over (seconds since the epoch).
"""

import json
import sys
import time

import polars as pl
from confluent_kafka import Producer

from benchmarks.stream_peers.events import Events, arrow, lines

#: Events of one envelope.
ENVELOPE = 1_000
#: At a rate, between two moments that are noted.
NOTED = 1_000


class Topic:
    """A topic that is written to. It waits while too much is on its way."""

    def __init__(self, servers: str, name: str) -> None:
        settings = {
            "bootstrap.servers": servers,
            "linger.ms": 5,
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 200_000,
            "log_level": 0,
        }
        self._name, self._producer = name, Producer(settings)

    def put(self, value: str | bytes, key: str | None, partition: int) -> None:
        while True:
            try:
                self._producer.produce(self._name, value, key, partition=partition)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def poll(self) -> None:
        self._producer.poll(0)

    def flush(self) -> None:
        """Raises SystemExit where not all arrived."""
        if left := self._producer.flush(300):
            raise SystemExit(f"{left} messages were not delivered")


def produce(servers: str, name: str, events: Events, form: str) -> None:
    """All events, and the last one of each partition."""
    topic = Topic(servers, name)
    for frame in events.frames():
        if form == "json":
            for line, key, partition in zip(lines(frame), frame["key"], frame["_partition"], strict=True):
                topic.put(line, key, partition)
            topic.poll()
        else:
            _put_envelopes(topic, frame)
    for partition in range(events.partitions):
        last = events.last(partition)
        topic.put(lines(last)[0] if form == "json" else arrow(last), str(last["key"][0]), partition)
    topic.flush()


def _put_envelopes(topic: Topic, frame: pl.DataFrame) -> None:
    for (partition,), part in frame.group_by("_partition", maintain_order=True):
        for envelope in part.iter_slices(ENVELOPE):
            topic.put(arrow(envelope), None, int(str(partition)))
    topic.poll()


def produce_steadily(servers: str, name: str, events: Events, rate: int) -> list[float]:
    """Single messages, so many a second; when each thousandth was handed over."""
    topic, began, at = Topic(servers, name), time.time() + 0.2, []
    done = 0
    for frame in events.frames():
        for line, key, partition in zip(lines(frame), frame["key"], frame["_partition"], strict=True):
            if not done % 100:
                time.sleep(max(0.0, began + done / rate - time.time()))
                topic.poll()
            topic.put(line, key, partition)
            done += 1
            if not done % NOTED:
                at.append(time.time())
    topic.flush()
    return at


if __name__ == "__main__":
    servers, name, count, partitions, form, *rest = sys.argv[1:]
    wanted = Events(int(count), int(partitions))
    if rest:
        print(json.dumps(produce_steadily(servers, name, wanted, int(rest[0]))))
    else:
        produce(servers, name, wanted, form)
