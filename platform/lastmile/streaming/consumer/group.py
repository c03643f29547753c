"""The member of a consumer group: which partitions it has, and their messages by column.

The group decides who reads which partition, nothing else. Where reading begins is up to `assigned`, which is called
with the partitions of each new assignment and gives their offsets; nothing is ever committed to the broker.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from lastmile.streaming.messages.batch import Messages

log = logging.getLogger(__name__)

#: How long a process may be silent before its partitions are given to others.
SESSION_SECONDS = 6
#: Messages, and about so many bytes of them, that are read at once.
MOST_MESSAGES, MOST_BYTES = 20_000, 8 * 2**20
#: How long a message counts as before the first: so few are read that envelopes do no harm.
_UNKNOWN_BYTES = 100_000.0
#: What librdkafka fetches ahead, in all; with it memory does not grow with what is to be read.
AHEAD_BYTES = 32 * 2**20
#: No wait for Postgres is longer; what is fenced then was another's.
_LONGEST_WAIT = 600

_METADATA_SECONDS = 30.0
#: How long a broker has to say which partitions there are, and how long one that does not is left alone.
_ANSWER_SECONDS, _AGAIN_SECONDS = 1.0, 5.0
#: Given the partitions of an assignment, and all that the topic has.
Offsets = Callable[[Sequence[int], Sequence[int]], Mapping[int, int | None]]


class Group:
    """One member. `revoked` is called when it loses its partitions. Not to be used by several threads."""

    def __init__(
        self, kafka: Mapping[str, str], group: str, topic: str, assigned: Offsets, revoked: Callable[[], None]
    ) -> None:
        self._topic, self._assigned, self._revoked = topic, assigned, revoked
        self._bytes = _UNKNOWN_BYTES
        self._at_end: set[int] = set()
        self._partitions: list[int] | None = None
        self._starts: dict[int, int] = {}
        self._lost: list[int] = []
        self._failure: Exception | None = None
        self._ask_again = 0.0
        #: What librdkafka says last of the broker, until something is heard of it again.
        self.problem: str | None = None
        self._consumer = Consumer({**_SETTINGS, **kafka, "group.id": group, "error_cb": self._note}, logger=log)
        # A broker answers a connection in turn: behind a fetch, which waits for messages, a question waits as long.
        self._asking = AdminClient({**kafka, "client.id": "lastmile", "log_level": 0})
        self.join()

    def join(self) -> None:
        self._consumer.subscribe([self._topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    def rejoin(self) -> None:
        """Leave the group and join it again: another process had one of the partitions meanwhile."""
        self._consumer.unsubscribe()
        self._forget()
        self.join()

    def read(self, seconds: float) -> Messages:
        """The next messages; none where none came for so long. Raises KafkaException where it can never go on."""
        most = max(1, min(MOST_MESSAGES, int(MOST_BYTES / self._bytes)))
        found = self._consumer.consume(most, seconds)
        if self._failure is not None:
            raise self._failure
        good = [message for message in found if message.error() is None]
        if good:
            self.problem = None
            self._at_end.difference_update({message.partition() for message in good})
        if len(good) != len(found):  # the end of a partition comes behind its messages
            for message in found:
                self._heed(message)
        messages = by_column(good)
        size = sum(map(len, filter(None, messages.values)))
        self._bytes = max(1.0, size / len(good)) if good else self._bytes
        return messages

    @property
    def has_joined(self) -> bool:
        return self._partitions is not None

    @property
    def is_at_end(self) -> bool:
        """Whether it has read all there was of its partitions; those of a member without any as well."""
        return self._partitions is not None and self._at_end.issuperset(self._partitions)

    def out_of_range(self) -> list[int]:
        """Partitions whose next message the broker does not have, since the last call."""
        found, self._lost = self._lost, []
        return found

    def has_topic(self) -> bool:
        """True where that cannot be known: the broker is away."""
        try:
            return not self._consumer.list_topics(self._topic, timeout=5).topics[self._topic].error
        except KafkaException:
            return True

    def partitions(self) -> list[int] | None:
        """All that the topic has now, None where the broker does not say. For any thread."""
        now = time.monotonic()
        if now < self._ask_again:
            return None
        try:
            found = self._asking.list_topics(self._topic, timeout=_ANSWER_SECONDS).topics[self._topic]
        except KafkaException:
            self._ask_again = now + _AGAIN_SECONDS
            return None
        return sorted(found.partitions) if found.error is None else None

    def bounds(self, partition: int) -> tuple[int, int]:
        """First offset and end of a partition, as the broker says."""
        low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=10)
        return low, high

    def go_on(self, partition: int, offset: int) -> None:
        """Read a partition from another offset; the others from where they are."""
        numbers = list(self._starts)
        for found in self._consumer.position([TopicPartition(self._topic, number) for number in numbers]):
            if found.offset >= 0:
                self._starts[found.partition] = found.offset
        self._starts[partition] = offset
        self._consumer.assign([TopicPartition(self._topic, *one) for one in self._starts.items()])

    def ends(self) -> dict[int, int]:
        """The ends of the partitions, as last fetched; without those not fetched yet.

        Of one that is read to its end this is the next offset to be read: behind it may lie what is no message, such as
        the mark of a transaction.
        """
        found = {}
        for partition in self._partitions or ():
            place = TopicPartition(self._topic, partition)
            bounds = self._consumer.get_watermark_offsets(place, cached=True)
            if bounds is not None and bounds[1] >= 0:
                found[partition] = bounds[1]
            if partition in self._at_end:
                (position,) = self._consumer.position([place])
                read = position.offset if position.offset >= 0 else self._starts[partition]
                found[partition] = read if read >= 0 else found.get(partition, 0)
        return found

    def close(self) -> None:
        """Leave the group, so that others have the partitions at once."""
        self._consumer.close()

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._begin(consumer, sorted(one.partition for one in partitions))
        except Exception as error:  # confluent-kafka loses what some exceptions say on their way through it
            self._failure = error

    def _begin(self, consumer: Consumer, numbers: list[int]) -> None:
        offsets = self._assigned(numbers, self._every())
        self._forget()
        self._partitions = numbers
        self._starts = {number: _start(offsets[number]) for number in numbers}
        consumer.assign([TopicPartition(self._topic, *one) for one in self._starts.items()])

    def _every(self) -> list[int]:
        """All partitions of the topic. Raises KafkaException where the broker is away for long."""
        return sorted(self._consumer.list_topics(self._topic, timeout=_METADATA_SECONDS).topics[self._topic].partitions)

    def _revoke(self, *_: object) -> None:
        self._revoked()
        self._forget()

    def _note(self, error: KafkaError) -> None:
        if self.problem is None:  # librdkafka says it many times a second
            log.warning("topic %s: %s", self._topic, error.str())
        self.problem = f"broker: {error.str()}"

    def _forget(self) -> None:
        self._partitions = None
        self._at_end, self._lost = set(), []

    def _heed(self, message: Message) -> None:
        error, partition = message.error(), message.partition()
        if error is None:
            return
        if error.code() == KafkaError._PARTITION_EOF and partition is not None:
            self.problem = None
            self._at_end.add(partition)
        elif error.code() in _OUT_OF_RANGE and partition is not None:
            self._lost.append(partition)
        elif error.fatal() or error.code() in _HOPELESS:
            raise KafkaException(error)
        else:  # a broker that is away, a topic that is not there yet
            self._note(error)


_OUT_OF_RANGE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
#: What no waiting mends.
_HOPELESS = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
)
_SETTINGS: dict[str, Any] = {
    "client.id": "lastmile",
    "log_level": 0,  # what matters of it comes as an error as well
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "partition.assignment.strategy": "roundrobin",
    "session.timeout.ms": SESSION_SECONDS * 1_000,
    "heartbeat.interval.ms": 1_000,
    "max.poll.interval.ms": _LONGEST_WAIT * 1_000,
    "topic.metadata.refresh.interval.ms": 5_000,
    "fetch.wait.max.ms": 100,
    "queued.max.messages.kbytes": AHEAD_BYTES // 1024,
    "queued.min.messages": 100_000,
    "fetch.queue.backoff.ms": 10,  # a second unless said: far longer than what is fetched ahead lasts
    "fetch.message.max.bytes": 4 * 2**20,
    "reconnect.backoff.max.ms": 2_000,
    "allow.auto.create.topics": False,
}


def by_column(messages: Sequence[Message]) -> Messages:
    """Messages as librdkafka has them, by column."""
    headers: list[Any] = [message.headers() for message in messages]
    keys = [message.key() for message in messages]
    return Messages(
        [message.value() for message in messages],
        [message.partition() for message in messages],  # type: ignore[misc]  # a message has all of these
        [message.offset() for message in messages],  # type: ignore[misc]
        [message.timestamp()[1] for message in messages],
        keys if any(key is not None for key in keys) else (),
        headers if any(headers) else (),
    )


def _start(offset: int | None) -> int:
    return OFFSET_BEGINNING if offset is None else offset
