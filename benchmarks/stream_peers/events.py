"""The events: 200 bytes of JSON each, the same every time, and the windows that they must end in.

A key is always in the same partition, and within a partition events are in the order of their time, so that none is
late. Behind them each partition has one event an hour later, of a key of its own, by which every program
knows that the minutes before are over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
SPAN = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
#: A number that 4 and 24 partitions share evenly.
KEYS = 240
BYTES = 200
LAST = "last"
#: Events made at once.
_MOST = 120_000
#: As many as a line of JSON has.
_PADDING = 112
_FORMAT = "%Y-%m-%dT%H:%M:%S.%3fZ"


@dataclass(frozen=True)
class Events:
    """So many of them over ten minutes, in a topic of so many partitions."""

    count: int
    partitions: int

    def frames(self) -> Iterator[pl.DataFrame]:
        """All of them but the last, in order, with the partition of each."""
        for first in range(0, self.count, _MOST):
            number = pl.int_range(first, min(first + _MOST, self.count), dtype=pl.Int64)
            key = number % KEYS
            micros = number * int(SPAN / timedelta(microseconds=1)) // self.count
            yield pl.select(
                id=pl.format("e{}", number.cast(pl.String).str.zfill(12)),
                at=(pl.lit(START) + micros.cast(pl.Duration("us"))).dt.truncate("1ms"),
                key=pl.format("k{}", key.cast(pl.String).str.zfill(3)),
                cents=number * 7_919 % 10_000,
                _partition=key % self.partitions,
            )

    def last(self, partition: int) -> pl.DataFrame:
        """The event that ends a partition."""
        return pl.DataFrame(
            {"id": [f"{LAST}{partition}"], "at": [START + SPAN + timedelta(hours=1)], "key": [LAST], "cents": [0]},
            schema={"id": pl.String, "at": pl.Datetime("us", "UTC"), "key": pl.String, "cents": pl.Int64},
        )

    def windows(self) -> pl.DataFrame:
        """By key and minute: events, and the sum of their cents."""
        found = [
            frame.group_by("key", pl.col("at").dt.truncate("1m").alias("window_start")).agg(
                pl.len().cast(pl.Int64).alias("events"), pl.col("cents").sum()
            )
            for frame in self.frames()
        ]
        by = ["key", "window_start"]
        return pl.concat(found).group_by(by).agg(pl.col("events", "cents").sum()).sort(by)


def lines(frame: pl.DataFrame) -> list[str]:
    """Each event as JSON of BYTES bytes."""
    written = pl.concat_str(
        pl.lit('{"id":"'), "id", pl.lit('","at":"'), pl.col("at").dt.strftime(_FORMAT), pl.lit('","key":"'), "key",
        pl.lit('","cents":'), "cents", pl.lit(',"agent":"'),
    )  # fmt: skip
    return frame.select((written.str.pad_end(BYTES - 2, "x") + '"}').alias("line"))["line"].to_list()


def arrow(frame: pl.DataFrame) -> bytes:
    """The events as a stream of Arrow record batches, with the same padding."""
    import pyarrow as pa

    table = frame.select("id", "at", "key", "cents", agent=pl.lit("x" * _PADDING)).to_arrow(
        compat_level=pl.CompatLevel.oldest()
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())
