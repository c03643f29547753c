"""The events of a stream that were landed, as the consumer counted them: valid, not late, each key once, stepped."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO

import polars as pl
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.quarantine.messages import LEFT_OUT_OF_REPLAYS, left_out_places
from lastmile.store import Store
from lastmile.store.landing import GATHERED, LANDING
from lastmile.streaming.declarations.stream import PLACE, Stream
from lastmile.streaming.dedup import dedup_of
from lastmile.streaming.joins.lookups import Lookups
from lastmile.streaming.replay.ranges import Range
from lastmile.streaming.replay.under_way import replayed_keys
from lastmile.streaming.validation import Validation

#: More partitions of a dataset than these are not listed one by one.
_MOST_LISTED = 400
_DAY = timedelta(days=1)


@dataclass(frozen=True, order=True)
class LandedObject:
    """An object with events of one partition of the topic, the first of them perhaps from this offset on."""

    partition: int
    first_offset: int
    key: str


def landed_objects(
    store: Store, stream: Stream, contract: Contract, span: Range, cuts: Mapping[int, int]
) -> list[LandedObject]:
    """Those that may have events of the range, from before the cuts, in the order of their offsets."""
    name = re.compile(rf"{re.escape(GATHERED)}{re.escape(stream.name)}-(\d+)-(\d{{20}})\.parquet$")
    found = set()
    for prefix in _prefixes(contract, span):
        for one in store.list(prefix):
            if match := name.search(one.key):
                landed = LandedObject(int(match[1]), int(match[2]), one.key)
                if landed.first_offset < cuts.get(landed.partition, 0):
                    found.add(landed)
    return sorted(found)


class LandedEvents:
    """Reads them for one replay. Its keys are remembered in Postgres until it is closed."""

    def __init__(self, connection: Connection, store: Store, stream: Stream, contract: Contract) -> None:
        self._connection, self._store, self._stream = connection, store, stream
        self._validation, self._lookups = Validation(contract), Lookups(stream)
        self._lookups.refresh(connection)
        self._dedup = dedup_of(stream, contract, within=replayed_keys(stream.name))
        #: Events in the range, whatever became of them.
        self.events = 0

    def __enter__(self) -> "LandedEvents":
        if self._dedup:
            self._dedup.prepare(self._connection)
            self._dedup.forget_all(self._connection)
        return self

    def __exit__(self, *_: object) -> None:
        if self._dedup and not self._connection.closed:
            self._dedup.forget_all(self._connection)

    def read(self, one: LandedObject, span: Range, cut: int) -> pl.DataFrame:
        """Those of an object; within a transaction, since keys are remembered."""
        rows = pl.read_parquet(BytesIO(self._store.read(one.key))).filter(pl.col("_offset") < cut)
        index = pl.col("_index") if "_index" in rows.columns else pl.lit(0)
        events = rows.drop("_topic", strict=False).with_columns(
            index.cast(pl.Int32).alias("_index"),
            pl.col("_partition").cast(pl.Int32),
            pl.lit(None, PLACE["_timestamp"]).alias("_timestamp"),
        )
        valid = self._validation.validate(events).valid.filter(within(self._stream.event_time, span))
        self.events += valid.height
        counted = self._without_left_out(valid, one.partition)
        if self._dedup and counted.height:
            counted = self._dedup.first(self._connection, counted)
        return self._stream.stepped(counted, self._lookups.tables)

    def _without_left_out(self, events: pl.DataFrame, partition: int) -> pl.DataFrame:
        """Events that were late, or ahead of time, were left out, and still are."""
        if not events.height:
            return events
        offsets = events["_offset"]
        rules = [rule for rule in LEFT_OUT_OF_REPLAYS if rule != "late" or self._stream.late == "quarantine"]
        places = left_out_places(
            self._connection, self._stream.name, self._stream.topic, partition, (offsets[0], offsets[-1]), rules
        )
        if not places:
            return events
        schema = {name: PLACE[name] for name in ("_offset", "_index")}
        return events.join(
            pl.DataFrame(places, schema, orient="row"), on=list(schema), how="anti", maintain_order="left"
        )


def within(column: str, span: Range) -> pl.Expr:
    """Whether the time in a column is of the range."""
    bounds = [pl.col(column) >= span.first] if span.first else []
    return pl.all_horizontal(pl.lit(True), *bounds, *([pl.col(column) < span.until] if span.until else []))


def _prefixes(contract: Contract, span: Range) -> list[str]:
    """Where events of the range may lie: an event is in the partition of its day as it was sent, whatever its zone; one
    from before the first partition, anywhere."""
    whole, partition = f"{LANDING}{contract.name}/", contract.partition
    first = span.first and span.first.date() - _DAY
    if first is None or first < partition.start:
        return [whole]
    last = min((span.until or datetime.now(UTC)).date(), datetime.now(UTC).date()) + _DAY
    keys = dict.fromkeys(partition.key_of(first + number * _DAY) for number in range((last - first).days + 1))
    return [whole] if len(keys) > _MOST_LISTED else [f"{whole}{key}/{GATHERED}" for key in keys]
