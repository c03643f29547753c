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
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lastmile.client.producing.encoding import Envelopes
from lastmile.client.producing.journal import DEAD_LETTER, EVENT, Journal, Placed
from lastmile.client.producing.metrics import Metrics

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

log = logging.getLogger(__name__)

_Headers = list[tuple[str, str | bytes | None]]

ID, COUNT, REASON, TOPIC = "event-id", "events", "reason", "topic"
_DEFAULTS: Mapping[str, Any] = {
    "enable.idempotence": True,
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


@dataclass(frozen=True)
class Target:
    """Where events go, and how: `many` of them in an envelope, waiting so long for one another."""

    client: Mapping[str, Any]
    topic: str
    dead_letters: str
    envelopes: Envelopes | None
    many: int
    linger_seconds: float


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
        self._waiting: dict[int, list[Callable[[], None]]] = {}
        self._read, self._first_unread = journal.acknowledged, time.monotonic()
        self._records_read = 0
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
                self._metrics.problem = f"{type(error).__name__}: {error}"
            self._end(producer)

    def _began(self) -> "Producer":
        from confluent_kafka import Producer

        self._journal.rewind()
        self._read, self._broken = self._journal.acknowledged, False
        self._records_read -= sum(part.records for part in self._parts)
        self._parts.clear()
        return Producer({**_DEFAULTS, **self._target.client, "error_cb": self._failed, "logger": log})

    def _end(self, producer: "Producer") -> None:
        with suppress(Exception):
            producer.purge()
            producer.poll(0)
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
        producer.poll(0)
        self._settle()

    def _idle(self, producer: "Producer", wait: float) -> None:
        is_lingering = self._read < self._journal.end
        if self._parts:
            producer.poll(min(wait, _LOOKED_SECONDS if is_lingering else _POLLED_SECONDS))
            self._settle()
            self._look()
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
        for kind, run in groupby(records, lambda one: one.record.kind):
            self._send_kind(producer, kind, list(run), part)
        part.is_whole = True

    def _send_kind(self, producer: "Producer", kind: int, run: list[Placed], part: _Part) -> None:
        target, delivered = self._target, partial(self._delivered, part, 1)
        if kind == EVENT and target.envelopes is not None:
            lines = [one.record.value for one in run]
            for first, count, value in target.envelopes.made(lines):
                headers: _Headers = [(ID, self._id(run[first].place)), (COUNT, str(count).encode())]
                self._produce(producer, target.topic, value, None, headers, partial(self._delivered, part, count))
        elif kind == EVENT:
            for place, (_, key, value) in run:
                self._produce(producer, target.topic, value, key, [(ID, self._id(place))], delivered)
        elif kind == DEAD_LETTER:
            for place, (_, reason, value) in run:
                headers = [(ID, self._id(place)), (REASON, reason or b""), (TOPIC, target.topic.encode())]
                self._produce(producer, target.dead_letters, value, None, headers, delivered)
        else:
            for place, record in run:
                headers = [(ID, self._id(place)), (COUNT, record.key or b"")]
                many = partial(self._delivered, part, record.events)
                self._produce(producer, target.topic, record.value, None, headers, many)

    def _produce(
        self,
        producer: "Producer",
        topic: str,
        value: bytes,
        key: bytes | None,
        headers: _Headers,
        delivered: "partial[None]",
    ) -> None:
        from confluent_kafka import KafkaException

        delivered.args[0].open += 1
        while not self._stopping and not self._broken:
            try:
                producer.produce(topic, value, key, headers=headers, on_delivery=delivered)
            except BufferError:
                producer.poll(_POLLED_SECONDS)
                self._settle()
                self._look()
            except KafkaException as error:
                delivered(error.args[0], value)
                return
            else:
                return

    def _delivered(self, part: _Part, events: int, error: "KafkaError | None", message: "Message | bytes") -> None:
        """Called while the producer is polled. A message that the broker refuses for good is kept in a file."""
        if error is None:
            part.open -= 1
        elif error.code() in _for_good():
            value = message if isinstance(message, bytes) else message.value() or b""
            kept = self._journal.keep_refused(value)
            log.error("%s refuses a message for good, which is kept in %s: %s", self._target.topic, kept, error)
            part.open -= 1
            part.refused += events
        elif not (self._broken or self._stopping):
            log.warning("a message to %s was not delivered, and will be sent again: %s", self._target.topic, error)
            self._metrics.problem, self._broken = str(error), True

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
            self._metrics.problem = str(error)
        self._broken = self._broken or error.fatal()

    def _id(self, place: int) -> bytes:
        return f"{self._journal.id}-{place}".encode()


def _for_good() -> tuple[int, ...]:
    from confluent_kafka import KafkaError

    return (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD)
