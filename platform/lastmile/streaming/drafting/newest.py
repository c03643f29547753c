"""The newest messages of a topic, as there are when one looks; no group is joined, and no offset committed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from lastmile.errors import Unreachable, UserError
from lastmile.streaming.cluster import topics
from lastmile.streaming.consumer.group import by_column
from lastmile.streaming.messages.batch import Messages

#: Messages, and bytes of them, that are looked at.
_MOST, _MOST_BYTES = 10_000, 32 * 2**20
#: How long the next message is waited for.
_PATIENCE_SECONDS = 20.0
_MOST_NAMED = 20
_SETTINGS: dict[str, Any] = {
    "client.id": "lastmile",
    "group.id": "lastmile.draft",  # which librdkafka wants, and which is never joined
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
    "queued.max.messages.kbytes": 16 * 1024,
    "log_level": 0,
}
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Sample:
    """`there` is how many messages the topic has, as far as offsets say."""

    messages: Messages
    there: int
    partitions: int


def newest(kafka: Mapping[str, str], topic: str, progress: Progress, patience: float = _PATIENCE_SECONDS) -> Sample:
    """The newest of each partition, which share what is looked at. Raises UserError where there is no such topic or
    nothing in it, and Unreachable where the cluster does not answer."""
    numbers = _partitions(kafka, topic)
    consumer = Consumer({**_SETTINGS, **kafka})
    try:
        bounds = {number: _bounds(consumer, topic, number) for number in numbers}
        sizes = {number: high - low for number, (low, high) in bounds.items() if high > low}
        ends = {number: bounds[number][1] for number in sizes}
        starts = {number: ends[number] - share for number, share in shares(sizes, _MOST).items()}
        found = _read(consumer, topic, starts, ends, progress, patience) if starts else []
    except KafkaException as error:
        raise Unreachable(f"topic {topic}: {error.args[0].str()}; is the cluster up?") from None
    finally:
        consumer.close()
    if not found:
        raise UserError(f"topic {topic!r} has no messages to draft from; send some, and try again")
    return Sample(by_column(found), sum(sizes.values()), len(numbers))


def shares(sizes: Mapping[int, int], most: int) -> dict[int, int]:
    """How many messages to read of each partition: what small ones do not need, larger ones have."""
    left, found = most, {}
    for place, (number, size) in enumerate(sorted(sizes.items(), key=lambda one: one[1])):
        found[number] = min(size, max(1, left // (len(sizes) - place)))
        left -= found[number]
    return found


def _partitions(kafka: Mapping[str, str], topic: str) -> list[int]:
    known = topics(kafka)
    if topic in known:
        return known[topic]
    names = sorted(name for name in known if not name.startswith("__"))
    more = ", ..." if len(names) > _MOST_NAMED else ""
    raise UserError(
        f"the broker {kafka['bootstrap.servers']} has no topic {topic!r}; there are:"
        f" {', '.join(names[:_MOST_NAMED]) or 'none'}{more}"
    )


def _bounds(consumer: Consumer, topic: str, number: int) -> tuple[int, int]:
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
    return low, high


def _read(
    consumer: Consumer,
    topic: str,
    starts: Mapping[int, int],
    ends: Mapping[int, int],
    progress: Progress,
    patience: float,
) -> list[Message]:
    """Up to the ends, or to where a partition has no more: behind may lie what is no message."""
    consumer.assign([TopicPartition(topic, *one) for one in starts.items()])
    found: list[Message] = []
    waiting, size, heard, problem = set(starts), 0, time.monotonic(), "the cluster says nothing"
    while waiting and size < _MOST_BYTES:
        for message in consumer.consume(1_000, 0.2):
            number, offset, error = message.partition(), message.offset(), message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                problem = str(error.str())
                continue
            if number not in waiting or number is None or offset is None:
                continue
            heard = time.monotonic()
            if error is not None:
                waiting.discard(number)
                continue
            if offset < ends[number]:
                found.append(message)
                size += len(message.value() or b"")
            if offset + 1 >= ends[number]:
                waiting.discard(number)
        progress(len(found))
        if time.monotonic() - heard > patience:
            if found:
                break
            raise Unreachable(f"topic {topic}: no message came within {patience:g} s: {problem}")
    return found
