"""One process of a stream: messages are read, prepared, committed and landed at the same time, each in its thread.

    broker > read > prepare > commit > Postgres
                          \\> land > store

Between two steps lie at most two batches, so memory stays the same however far the stream is behind: a step that is
slow holds up the one before, in the end librdkafka. What is read belongs to an assignment of partitions; when that is
over, what was read under it is dropped wherever it is: its positions are in Postgres, and the next one begins there.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.store import Store
from lastmile.streaming.consumer.batch import Batch, Prepared
from lastmile.streaming.consumer.channel import Channel, Dead
from lastmile.streaming.consumer.commit import Commits
from lastmile.streaming.consumer.persistence import Persistence, Stopped
from lastmile.streaming.consumer.positions import Fenced
from lastmile.streaming.consumer.preparing import Landable, Preparation
from lastmile.streaming.consumer.presence import BEAT_SECONDS, Presence
from lastmile.streaming.consumer.reading import Reader
from lastmile.streaming.consumer.row_changes import RowChangePreparation, RowChanges
from lastmile.streaming.declarations.stream import Stream
from lastmile.streaming.dedup import dedup_of
from lastmile.streaming.joins.lookups import Lookups
from lastmile.streaming.landing.gathering import WAIT_SECONDS
from lastmile.streaming.landing.landing import Landing
from lastmile.streaming.messages.codecs import codec_of
from lastmile.streaming.operators import Others, operators

log = logging.getLogger(__name__)

#: Batches between two steps.
_BETWEEN = 2
#: How often it is looked whether gathered events have waited long enough.
_LAND_SECONDS = 0.5


@dataclass(frozen=True)
class Surroundings:
    """What a stream works with: the warehouse, the store, the broker as librdkafka connects to it."""

    database_url: str
    store: Store
    kafka: Mapping[str, str]
    #: How long an event waits for a drop.
    landing_seconds: float = WAIT_SECONDS


class Running:
    """Reads a stream until it is stopped, or until all there is of its partitions is committed and landed."""

    def __init__(
        self,
        stream: Stream,
        contract: Contract,
        here: Surroundings,
        until_caught_up: bool = False,
        others: Others = MappingProxyType({}),
    ) -> None:
        self._stream, self._here, self._until_caught_up = stream, here, until_caught_up
        self._lookups = Lookups(stream)
        self._preparation: Preparation | RowChangePreparation
        if stream.has_row_changes:
            self._preparation = RowChangePreparation()
            self._commits = Commits(stream, (), None, RowChanges(stream, contract))
        else:
            made, dedup = operators(stream, contract, others), dedup_of(stream, contract)
            self._preparation = Preparation(stream, contract, codec_of(stream, contract), made, dedup is not None)
            self._commits = Commits(stream, made, dedup)
        self._landing = Landing(stream, contract, here.store, here.landing_seconds) if stream.lands else None
        self._presence = Presence(stream.name)
        self._stop, self._dead, self._over = threading.Event(), threading.Event(), threading.Event()
        self._failure: BaseException | None = None
        self._read, self._prepared, self._landable = (
            Channel[Batch](_BETWEEN, self._dead),
            Channel[Prepared](_BETWEEN, self._dead),
            Channel[Landable](_BETWEEN, self._dead),
        )
        self._steps: list[Persistence] = []
        #: Events that this process has committed.
        self.events = 0

    def stop(self) -> None:
        """Finish what was read, commit and land it, and leave the group. For signal handlers and any thread."""
        self._stop.set()

    def run(self, progress: Callable[[int], None] = lambda events: None) -> None:
        """Until stopped or caught up. Raises what ended it before."""
        reader = Reader(self._stream, self._presence.consumer, self._here.kafka, self._persistence())
        beating = self._thread(self._beat, reader)
        working = [self._thread(step, reader) for step in (self._prepare, self._commit, self._land)]
        try:
            for batch in reader.batches(self._stop, self._until_caught_up):
                self._read.put(batch)
                progress(self.events)
            self._read.close()
        except BaseException as error:
            self._fail(error)
        for thread in working:
            thread.join()
        self._over.set()
        beating.join()
        reader.close()
        for one in self._steps:
            one.close()
        progress(self.events)
        if self._failure is not None and not isinstance(self._failure, Stopped):
            raise self._failure

    def _prepare(self, reader: Reader) -> None:
        steps = self._persistence()
        for batch in self._read:
            if batch.assignment is not reader.current:
                continue
            if self._lookups.are_due:
                steps.run(self._lookups.refresh)
                self._preparation.tables = self._lookups.tables
            self._preparation.watermark = self._commits.watermark
            prepared, landable = self._preparation.prepare(batch)
            self._prepared.put(prepared)
            if landable is not None:
                self._landable.put(landable)
        self._prepared.close()
        self._landable.close()

    def _commit(self, reader: Reader) -> None:
        steps = self._persistence(self._commits.begin)
        steps.run(lambda _: None)
        for batch in self._prepared:
            if batch.assignment is not reader.current:
                continue
            every = reader.partitions()  # after the batch was read: none is older than what its watermark goes by
            try:
                self.events += steps.run(partial(self._commits.commit, batch=batch, every=every))
            except Fenced as fenced:
                log.warning("%s; its batch is dropped", fenced)
                if batch.assignment is reader.current:
                    reader.fence()

    def _land(self, reader: Reader) -> None:
        steps = self._persistence()
        for some in self._landable.within(_LAND_SECONDS):
            if self._landing is None:
                continue
            if some is not None and some.assignment is reader.current:
                self._landing.add(some, steps)
            else:
                self._landing.land(steps)
        if self._landing is not None:
            self._landing.land(steps, everything=True)

    def _beat(self, reader: Reader) -> None:
        steps = Persistence(self._here.database_url, self._over)
        while not self._over.is_set():
            problem = reader.problem or next((one.problem for one in self._steps if one.problem), None)
            steps.run(partial(self._presence.beat, partitions=sorted(reader.current.claimed), problem=problem))
            self._over.wait(BEAT_SECONDS)
        steps.run(self._presence.leave)
        steps.close()

    def _persistence(self, ready: Callable[[Connection], None] = lambda connection: None) -> Persistence:
        self._steps.append(Persistence(self._here.database_url, self._stop, ready))
        return self._steps[-1]

    def _thread(self, step: Callable[[Reader], None], reader: Reader) -> threading.Thread:
        thread = threading.Thread(target=self._guarded, args=[step, reader], name=f"stream{step.__name__}")
        thread.start()
        return thread

    def _guarded(self, step: Callable[[Reader], None], reader: Reader) -> None:
        try:
            step(reader)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None or isinstance(self._failure, Dead):
            self._failure = error
        self._stop.set()
        self._dead.set()
