"""From the journal to the broker, in one thread: what is acknowledged leaves the journal, in its order.

The Kafka client tries each message again until the broker has it, and keeps their order meanwhile. Where it cannot go
on, as after an error that ends its session, another one begins with what is not acknowledged.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lastmile.client.producing.journal import Journal, Placed
from lastmile.client.producing.messages import Outgoing, Target, messages
from lastmile.client.producing.metrics import Metrics

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

log = logging.getLogger(__name__)

_DEFAULTS: Mapping[str, Any] = {
    "enable.idempotence": True,
    "log_level": 0,  # what matters of it comes as an error as well
    "message.timeout.ms": 0,  # until the broker has it
    "linger.ms": 5,
    "compression.type": "lz4",
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 64 * 1024,
    "reconnect.backoff.max.ms": 2_000,
    "topic.metadata.refresh.fast.interval.ms": 100,
}
_MOST_BYTES = 500_000
_POLLED_SECONDS, _LOOKED_SECONDS, _AGAIN_SECONDS = 0.05, 0.005, 1.0
#: Nothing acknowledged for so long is said to be a problem.
_AWAY_SECONDS = 5.0


@dataclass
class _Part:
    """What was sent together; it is done when none of its messages is open."""

    behind: int
    records: int
    events: int
    began: float
    sent_at: float
    open: int = 0
    refused: int = 0
    is_whole: bool = False


class Sending:
    """Sends what is in the journal until it is stopped. `wait` is for any thread."""

    def __init__(self, journal: Journal, target: Target, metrics: Metrics) -> None:
        self._journal, self._target, self._metrics = journal, target, metrics
        self._parts: deque[_Part] = deque()
        self._changed = threading.Condition()
        self._new = threading.Event()
        self._refused: deque[tuple[_Part, Outgoing]] = deque()
        self._alone: Producer | None = None
        self._waiting: dict[int, list[Callable[[], None]]] = {}
        self._read, self._first_unread = journal.acknowledged, time.monotonic()
        self._records_read = 0
        self._refusal: type[Exception] = Exception
        self._stopping, self._broken = False, False
        self._acknowledged_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"producer of {target.topic}", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """There is more in the journal."""
        if not self._new.is_set():
            self._first_unread = time.monotonic()
            self._new.set()

    def wait(self, place: int, seconds: float | None) -> bool:
        """Whether all before the place is acknowledged, within that time."""
        self._new.set()
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._journal.acknowledged >= place, seconds))

    def call_when(self, place: int, call: Callable[[], None]) -> None:
        """Call it, in the thread that sends, once all before the place is acknowledged; at once where it is."""
        with self._changed:
            if self._journal.acknowledged < place:
                self._waiting.setdefault(place, []).append(call)
                return
        call()

    def stop(self) -> None:
        """What is not acknowledged stays in the journal."""
        self._stopping = True
        self._new.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            producer = self._began()
            try:
                while not (self._stopping or self._broken):
                    self._step(producer)
            except Exception as error:
                log.exception("sending to %s failed; it is tried again", self._target.topic)
                self._metrics.problem, self._broken = f"{type(error).__name__}: {error}", True
            self._end(producer)

    def _began(self) -> "Producer":
        self._journal.rewind()
        self._read, self._broken = self._journal.acknowledged, False
        self._records_read -= sum(part.records for part in self._parts)
        self._parts.clear()
        self._refused.clear()
        return self._connected({})

    def _connected(self, more: Mapping[str, Any]) -> "Producer":
        from confluent_kafka import KafkaException, Producer

        self._refusal = KafkaException
        given = {**_DEFAULTS, **self._target.client, **more}
        return Producer({**given, "error_cb": self._failed, "logger": log})

    def _end(self, producer: "Producer") -> None:
        for one in filter(None, (producer, self._alone)):
            with suppress(Exception):
                one.purge()
                one.poll(0)
        self._alone = None
        if self._broken and not self._stopping:
            time.sleep(_AGAIN_SECONDS)

    def _step(self, producer: "Producer") -> None:
        wait = self._due()
        if wait > 0:
            self._idle(producer, wait)
            return
        records = self._journal.read(self._read, self._target.many, _MOST_BYTES)
        if records:
            self._send(producer, records)
        if self._read >= self._journal.end:
            self._new.clear()
            if self._read < self._journal.end:  # appended meanwhile
                self._new.set()
        self._poll(producer, 0)

    def _idle(self, producer: "Producer", wait: float) -> None:
        is_lingering = self._read < self._journal.end
        if self._parts:
            self._poll(producer, min(wait, _LOOKED_SECONDS if is_lingering or self._alone else _POLLED_SECONDS))
        elif is_lingering:
            time.sleep(min(wait, _LOOKED_SECONDS))
        else:
            self._new.wait(wait)
            producer.poll(0)

    def _due(self) -> float:
        """In how many seconds something is to be read."""
        waiting = self._journal.end - self._read
        if not waiting:
            return 1.0
        many = self._journal.records - self._records_read >= self._target.many
        if self._target.envelopes is None or waiting >= _MOST_BYTES or many:
            return 0.0
        return self._first_unread + self._target.linger_seconds - time.monotonic()

    def _send(self, producer: "Producer", records: Sequence[Placed]) -> None:
        behind, place = self._journal.behind(records[-1]), records[0].place
        if self._target.envelopes is not None:
            self._journal.cut(place, behind)
        events = sum(one.record.events for one in records)
        part = _Part(behind, len(records), events, self._first_unread, time.time())
        if not self._parts:
            self._journal.acknowledge(place, part.sent_at)
        self._parts.append(part)
        self._read, self._records_read = behind, self._records_read + len(records)
        if behind < self._journal.end:
            self._first_unread = time.monotonic()
        for message in messages(records, self._target, self._journal.id):
            part.open += 1
            self._produce(producer, message, partial(self._delivered, part, message))
        part.is_whole = True

    def _produce(self, producer: "Producer", message: Outgoing, delivered: "partial[None]") -> None:
        topic, value, key, headers, _ = message
        while not self._stopping and not self._broken:
            try:
                producer.produce(topic, value, key, headers=headers, on_delivery=delivered)
            except BufferError:
                self._poll(producer, _POLLED_SECONDS)
            except self._refusal as error:
                delivered(error.args[0], None)
                return
            else:
                return

    def _delivered(self, part: _Part, sent: Outgoing, error: "KafkaError | None", _: "Message | None") -> None:
        """Called while the producer is polled. A batch may be refused for one message: each is tried by itself."""
        if error is None:
            part.open -= 1
        elif error.code() in _for_good():
            self._refused.append((part, sent))
        else:
            self._interrupted(error)

    def _delivered_alone(self, part: _Part, sent: Outgoing, error: "KafkaError | None", _: "Message | None") -> None:
        """A message that the broker refuses for good is kept in a file, and holds up no other."""
        if error is not None and error.code() not in _for_good():
            self._interrupted(error)
            return
        part.open -= 1
        if error is not None:
            part.refused += sent.events
            kept = self._journal.keep_refused(sent.value)
            log.error("%s refuses a message for good, which is kept in %s: %s", sent.topic, kept, error)

    def _interrupted(self, error: "KafkaError") -> None:
        if not (self._broken or self._stopping):
            log.warning("a message to %s was not delivered, and will be sent again: %s", self._target.topic, error)
            self._metrics.problem, self._broken = str(error), True

    def _poll(self, producer: "Producer", seconds: float) -> None:
        producer.poll(seconds)
        while self._refused and not self._broken:
            part, message = self._refused.popleft()
            self._alone = self._alone or self._connected({"batch.num.messages": 1, "linger.ms": 0})
            self._produce(self._alone, message, partial(self._delivered_alone, part, message))
        if self._alone is not None:
            self._alone.poll(0)
        self._settle()
        self._look()

    def _settle(self) -> None:
        """Acknowledge the parts that are done, as far as all before them are."""
        done = None
        while self._parts and self._parts[0].is_whole and not self._parts[0].open:
            done = self._parts.popleft()
            self._metrics.acknowledged(done.events, done.refused, time.monotonic() - done.began)
        if done is None:
            return
        self._acknowledged_at, self._metrics.problem = time.monotonic(), None
        with self._changed:
            self._journal.acknowledge(done.behind, self._parts[0].sent_at if self._parts else 0.0)
            self._changed.notify_all()
            reached = [place for place in self._waiting if place <= done.behind]
            calls = [call for place in reached for call in self._waiting.pop(place)]
        for call in calls:
            call()

    def _look(self) -> None:
        if self._parts and not self._metrics.problem:
            since = time.monotonic() - max(self._acknowledged_at, self._parts[0].began)
            if since > _AWAY_SECONDS:
                self._metrics.problem = f"nothing was acknowledged for {since:.0f} s"

    def _failed(self, error: "KafkaError") -> None:
        from confluent_kafka import KafkaError

        if error.code() == KafkaError._ALL_BROKERS_DOWN or self._parts:
            if self._metrics.problem is None:  # librdkafka says it many times a second
                log.warning("topic %s: %s", self._metrics.topic, error.str())
            self._metrics.problem = error.str()
        self._broken = self._broken or error.fatal()


def _for_good() -> tuple[int, ...]:
    from confluent_kafka import KafkaError

    return (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD)
