"""The thread that reads: a member of the group whose partitions begin where Postgres says."""

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial

from lastmile.errors import UserError
from lastmile.streaming.consumer import positions
from lastmile.streaming.consumer.batch import Assignment, Batch
from lastmile.streaming.consumer.commit import TICK_SECONDS
from lastmile.streaming.consumer.group import Group
from lastmile.streaming.consumer.persistence import Persistence
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.messages.batch import Messages

log = logging.getLogger(__name__)

#: How long a read waits for messages; the least that an event waits at a low rate.
_READ_SECONDS = 0.05
#: Without news for so long, a member that has read everything is caught up.
_QUIET_SECONDS = 0.5
#: A group gathers sooner where there is its topic.
_JOIN_SECONDS = 5.0
_NONE = Messages((), (), (), ())


class Reader:
    """Gives batches of the current assignment."""

    def __init__(self, stream: Stream, consumer: str, kafka: Mapping[str, str], steps: Persistence) -> None:
        self._stream, self._consumer, self._steps = stream, consumer, steps
        self._fenced = threading.Event()
        #: What is read under another one is dropped.
        self.current = Assignment()
        group = steps.run(lambda connection: positions.group(connection, stream.name))
        self._group = Group(kafka, group, stream.topic, self._claim, self._revoke)

    @property
    def problem(self) -> str | None:
        """What keeps it from reading."""
        return self._steps.problem or self._group.problem

    def fence(self) -> None:
        """One of the partitions was found to be another's: leave the group and join it again. For any thread."""
        self._fenced.set()

    def batches(self, stop: threading.Event, until_caught_up: bool) -> Iterator[Batch]:
        """Messages as they come, and every second a batch without any, until stopped or all there was is read."""
        given = quiet_since = time.monotonic()
        while not stop.is_set():
            if self._fenced.is_set():
                self._fenced.clear()
                self._revoke()
                self._group.rejoin()
            messages = self._group.read(_READ_SECONDS)
            self._mend()
            now = time.monotonic()
            if len(messages):
                given = quiet_since = now
                yield Batch(self.current, messages, self._group.ends())
            elif now - given >= TICK_SECONDS and self.current.claimed:
                given = now
                yield Batch(self.current, _NONE, self._group.ends())
            if until_caught_up and self._group.is_at_end and now - quiet_since >= _QUIET_SECONDS:
                return
            if until_caught_up and not self._group.has_joined and now - quiet_since >= _JOIN_SECONDS:
                quiet_since = now
                self._expect_topic()

    def partitions(self) -> Collection[int] | None:
        """All that the topic has now, None where the broker does not say. For any thread."""
        return self._group.partitions()

    def close(self) -> None:
        self._group.close()

    def _expect_topic(self) -> None:
        if not self._group.has_topic():
            raise UserError(
                f"stream {self._stream.name}: the broker has no topic {self._stream.topic!r}; make it, or send to it"
            )

    def _claim(self, numbers: Sequence[int], every: Sequence[int]) -> dict[int, int | None]:
        """Where to read each partition from: where it is committed or landed, whichever comes first."""
        stream = self._stream
        claimed = self._steps.run(
            lambda connection: positions.claim(connection, stream.name, stream.topic, numbers, every, self._consumer)
        )
        self.current = Assignment({one.partition: one for one in claimed})
        log.info("stream %s reads partitions %s of %s", stream.name, list(numbers), stream.topic)
        return {one.partition: self._start(one) for one in claimed}

    def _start(self, one: positions.Claimed) -> int | None:
        if not self._stream.lands:
            return one.committed
        return None if one.committed is None or one.landed is None else min(one.committed, one.landed)

    def _revoke(self) -> None:
        self.current = Assignment()

    def _mend(self) -> None:
        """Go on behind messages that the broker has deleted, and record which those are."""
        for partition in self._group.out_of_range():
            claimed = self.current.claimed.get(partition)
            start = self._start(claimed) if claimed else None
            if start is None:
                continue
            first, end = self._group.bounds(partition)
            if start > end:
                raise UserError(
                    f"stream {self._stream.name}: partition {partition} of {self._stream.topic} ends at {end} and was"
                    f" read up to {start}: the topic was made anew. Make it under another name, or give the stream"
                    " another name"
                )
            log.error("%s: offsets %s to %s of partition %s are gone", self._stream.name, start, first - 1, partition)
            record = partial(
                positions.record_gap,
                stream=self._stream.name,
                topic=self._stream.topic,
                partition=partition,
                first=start,
                following=first,
            )
            self._steps.run(record)
            self._group.go_on(partition, first)
