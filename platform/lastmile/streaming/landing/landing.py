"""Landing: what is gathered becomes drops, each segment decided, written, and marked as landed."""

import logging
from datetime import UTC, datetime
from functools import partial

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.errors import UserError
from lastmile.store import Store
from lastmile.streaming.consumer.batch import Assignment
from lastmile.streaming.consumer.persistence import Persistence
from lastmile.streaming.consumer.positions import Fenced
from lastmile.streaming.consumer.preparing import Landable
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.landing.gathering import WAIT_SECONDS, Gathering, Ready
from lastmile.streaming.landing.objects import objects
from lastmile.streaming.landing.segments import Segment, Segments

log = logging.getLogger(__name__)


class Landing:
    """Lands the events of one stream."""

    def __init__(self, stream: Stream, contract: Contract, store: Store, wait: float = WAIT_SECONDS) -> None:
        self._stream, self._contract, self._store, self._wait = stream, contract, store, wait
        self._segments = Segments(stream.name, stream.topic, contract.name)
        self._gathering = Gathering(Assignment(), {})

    def add(self, some: Landable, steps: Persistence) -> None:
        """Gather the events of a batch, and land what is due."""
        if some.assignment is not self._gathering.assignment:
            steps.run(lambda connection: self._begin(connection, some.assignment))
        self._gathering.add(some.events, some.behind)
        self.land(steps)

    def land(self, steps: Persistence, everything: bool = False) -> None:
        """Land what is due, or all there is. What is another's by now is left to that one."""
        for ready in self._gathering.ready(everything):
            try:
                self._land(ready, steps)
            except Fenced as fenced:
                log.warning("%s; it lands what was gathered", fenced)

    def _put(self, key: str, content: bytes, _: Connection) -> None:
        self._store.put(key, content)

    def _begin(self, connection: Connection, assignment: Assignment) -> None:
        decided = self._segments.pending(connection, list(assignment.claimed))
        self._gathering = Gathering(assignment, decided, self._wait)

    def _land(self, ready: Ready, steps: Persistence) -> None:
        generation = self._gathering.assignment.claimed[ready.partition].generation
        decided = ready.decided
        segment = decided or Segment(ready.partition, ready.first, ready.behind - 1, datetime.now(UTC).date())
        if decided is None:
            steps.run(lambda connection: self._segments.decide(connection, segment, generation))
        written = dict(objects(self._stream, self._contract, segment, ready.events)) if ready.events.height else {}
        for key, content in written.items():
            steps.run(partial(self._put, key, content), waits_for=(UserError, OSError))
        size = sum(map(len, written.values()))
        steps.run(lambda connection: self._segments.done(connection, segment, generation, ready.events.height, size))
        log.info(
            "%s: offsets %s to %s of partition %s landed, %s events in %s objects",
            self._stream.name, segment.first_offset, segment.last_offset, segment.partition, ready.events.height,
            len(written),
        )  # fmt: skip
