"""Sends single events at a steady rate: `python -m benchmarks.streams.producing SERVERS TOPIC RATE SECONDS`."""

import sys
import time
from datetime import UTC, datetime

from confluent_kafka import Producer

from benchmarks.streams.events import single

#: Events are sent in turns of so long.
_TURN = 0.02


def main(servers: str, topic: str, rate: int, seconds: float) -> None:
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 5, "log_level": 0, "acks": "all"})
    began, number = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
        due = int(rate * (passed + _TURN))
        while number < due:
            producer.produce(topic, single(number, at))
            number += 1
        producer.poll(0)
        time.sleep(max(0.0, number / rate - (time.perf_counter() - began)))
    producer.flush(30)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
