"""A segment as objects of the landing area: one for each partition of the dataset that its events belong to.

An event belongs to the partition of its own time; one whose time is none, or of no partition, to that of the day on
which the segment was decided. Each row knows its place in the topic.
"""

from collections.abc import Iterator
from datetime import date
from io import BytesIO

import polars as pl

from lastmile.contracts.contract import Contract
from lastmile.store.landing import GATHERED, LANDING
from lastmile.streaming.declarations.stream import PLACE, Stream
from lastmile.streaming.landing.segments import Segment


def objects(stream: Stream, contract: Contract, segment: Segment, events: pl.DataFrame) -> Iterator[tuple[str, bytes]]:
    """The key and content of each; the same for the same events."""
    name = f"{GATHERED}{stream.name}-{segment.partition}-{segment.first_offset:020}.parquet"
    keyed = events.with_columns(_partition_of(stream, contract, segment.day, events).alias(" key"))
    own = [column for column in events.columns if column not in PLACE]
    place = ["_partition", "_offset", *(["_index"] if (events["_index"] > 0).any() else [])]
    for (key,), some in keyed.partition_by(" key", as_dict=True, maintain_order=True).items():
        file = BytesIO()
        rows = some.select(*own, pl.lit(stream.topic).alias("_topic"), *place)
        rows.write_parquet(file, compression="zstd", compression_level=1, statistics=False)
        yield f"{LANDING}{contract.name}/{key}/{name}", file.getvalue()


def _partition_of(stream: Stream, contract: Contract, day: date, events: pl.DataFrame) -> pl.Series:
    """The partition key of each event, by the first ten characters of its time as it was sent."""
    partition = contract.partition
    fallback = partition.key_of(max(day, partition.start))
    time = events[stream.event_time] if stream.event_time in events.columns else None
    if time is None:
        return pl.Series([fallback], dtype=pl.String).new_from_index(0, events.height)
    days = _days(time)
    within = days.is_between(partition.start, day)
    written = days.dt.to_string({"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d"}[partition.unit])
    return pl.select(pl.when(within).then(written).otherwise(pl.lit(fallback))).to_series()


def _days(time: pl.Series) -> pl.Series:
    if time.dtype.is_temporal():
        return time.cast(pl.Date)
    return time.cast(pl.String).str.head(10).str.to_date("%Y-%m-%d", strict=False)
