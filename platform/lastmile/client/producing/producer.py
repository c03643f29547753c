"""The producer: events to a topic, checked at once, kept until the broker has them."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from lastmile.client.producing.encoding import Envelopes, Event, Format, as_json, encoder, envelopes
from lastmile.client.producing.journal import DEAD_LETTER, ENVELOPE, EVENT, LONGEST_KEY, BufferFull, Journal, Record
from lastmile.client.producing.messages import Target
from lastmile.client.producing.metrics import Metrics
from lastmile.client.producing.schemas import InvalidEvent, Schema
from lastmile.client.producing.sending import Sending

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BufferFull", "InvalidEvent", "Producer"]

_MOST_REASON = 4_096


class Producer:
    """Sends events to a topic through a journal on disk. Its methods may be called by any thread.

    What `send` returned for survives the death of the process, with `sync` that of the machine, and is sent by the next
    producer on the same journal. Within a life of the process each event arrives once; what was on its way when it died
    may arrive twice, with the same header `event-id`.

    `servers` are the cluster's; `client` are further settings of librdkafka, such as for TLS. An event that does not
    fit the `schema` raises InvalidEvent, or goes to the topic `dead_letters` where that is given. With format `arrow`
    up to `many` events, of at most `linger_seconds`, are one message. Events without a value in the column `id_column`
    get one of their own there: where it is the key of the contract, the platform counts each event once, also one that
    arrives twice. `discard` forgets what an earlier process left, for who reads it again from where it came.
    """

    def __init__(
        self,
        servers: str,
        topic: str,
        journal: Path,
        schema: Schema | None = None,
        format: Format = "json",  # noqa: A002  # as streams have it
        dead_letters: str | None = None,
        many: int = 1_000,
        linger_seconds: float = 0.05,
        most_bytes: int = 2**30,
        sync: bool = False,
        id_column: str | None = None,
        discard: bool = False,
        client: Mapping[str, Any] | None = None,
    ) -> None:
        self.topic, self._format, self._dead_letters = topic, format, dead_letters
        self._encoded: Callable[[Event], bytes] = encoder(format, schema)
        self._journal = Journal(Path(journal), most_bytes, sync)
        if discard:
            self._journal.discard()
        self._metrics = Metrics(topic, queued=self._journal.found_events)
        made = Envelopes(schema) if format == "arrow" else None
        given = {"bootstrap.servers": servers, **(client or {})}
        target = Target(given, topic, dead_letters or topic, made, many, linger_seconds)
        self._id_column, self._ids = id_column, map(f"{secrets.token_hex(8)}-{{:x}}".format, count())
        self._is_closed = False
        self._sending = Sending(self._journal, target, self._metrics)

    def send(self, event: Event, key: str | bytes | None = None) -> int:
        """Keep an event, to be sent; returns its place in the journal, for `wait`.

        Events of one key go to one partition, in their order. Raises InvalidEvent, and BufferFull where the journal
        holds as much as it may: then nothing is kept.
        """
        return self._append([self._record(event, key)])

    def send_many(self, events: Iterable[Event], key: str | bytes | None = None) -> int:
        """Keep events, all or none."""
        return self._append([self._record(event, key) for event in events])

    def send_bytes(self, value: bytes, key: str | bytes | None = None) -> int:
        """Keep a message as it is, unchecked."""
        return self._append([Record(EVENT, _raw(key), value)])

    def send_many_bytes(self, values: Iterable[bytes]) -> int:
        """Keep messages as they are, all or none."""
        return self._append([Record(EVENT, None, value) for value in values])

    def send_table(self, table: "pa.Table") -> int:
        """Keep the rows of an Arrow table, as envelopes; they are not checked."""
        records = [
            Record(ENVELOPE, str(count).encode(), value)
            for start in range(0, table.num_rows, _ROWS)
            for _, count, value in envelopes(table.slice(start, _ROWS))
        ]
        return self._append(records)

    def wait(self, place: int | None = None, seconds: float | None = None) -> bool:
        """Whether the broker has acknowledged all up to a place, or all there is, within that time."""
        return self._sending.wait(self._journal.end if place is None else place, seconds)

    def call_when_acknowledged(self, place: int, call: Callable[[], None]) -> None:
        """Call it, in a thread of the producer's, once the broker has all up to a place."""
        self._sending.call_when(place, call)

    def make_durable(self) -> None:
        """Everything kept is on the disk when this returns, as with `sync`."""
        self._journal.make_durable()

    @property
    def end(self) -> int:
        """The place behind all that was kept."""
        return self._journal.end

    @property
    def acknowledged(self) -> int:
        """The place up to which the broker has everything."""
        return self._journal.acknowledged

    @property
    def metrics(self) -> Metrics:
        self._metrics.queued_bytes = self._journal.waiting_bytes
        return self._metrics

    def close(self, seconds: float = 10.0) -> bool:
        """Wait so long for what is on its way; what is left stays in the journal. Returns whether nothing is."""
        if self._is_closed:
            return self._journal.waiting_bytes == 0
        done = self.wait(seconds=seconds)
        self._is_closed = True
        self._sending.stop()
        self._journal.close()
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, records: list[Record]) -> int:
        if not records:
            return self._journal.end
        self._metrics.accepted(sum(one.events for one in records))
        try:
            behind = self._journal.append(records)
        except BaseException:
            self._metrics.accepted(-sum(one.events for one in records))
            raise
        self._sending.notify()
        return behind

    def _record(self, event: Event, key: str | bytes | None) -> Record:
        if self._id_column is not None and event.get(self._id_column) is None:
            event = {**event, self._id_column: next(self._ids)}
        if key is not None and self._format == "arrow":
            raise ValueError("events of an envelope have no key; send them with format json or avro")
        raw = _raw(key)
        try:
            return Record(EVENT, raw, self._encoded(event))
        except InvalidEvent as error:
            self._metrics.refused()
            if self._dead_letters is None:
                raise
            return Record(DEAD_LETTER, str(error).encode()[:_MOST_REASON], _shown(event))


def _raw(key: str | bytes | None) -> bytes | None:
    raw = key.encode() if isinstance(key, str) else key
    if raw is not None and len(raw) > LONGEST_KEY:
        raise ValueError(f"expected a key of {LONGEST_KEY:,} bytes at most, found {len(raw):,}")
    return raw


def _shown(event: Any) -> bytes:
    try:
        return as_json(event)
    except InvalidEvent:
        return as_json(repr(event))


_ROWS = 1_000
