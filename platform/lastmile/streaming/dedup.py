"""Events that came before: of a contract with a key, each key counts once, as in its table.

A producer that was killed sends again what it had sent, perhaps to another partition. The keys are remembered in the
transaction of the batch, until the watermark has passed their event: one that came then would be late. Where late
events update their windows, keys are remembered for as long as those do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from psycopg import Connection, sql

from lastmile.contracts.contract import Contract
from lastmile.streaming.declarations.stream import Stream
from lastmile.warehouse.binary_copy import BinaryCopy

_STAGED = {"number": pl.Int64(), "text": pl.String(), "event_time": pl.Datetime("us", "UTC")}
_REPEATED = """
WITH new AS (
    INSERT INTO streams.keys (stream, key, event_time)
    SELECT %(stream)s, key, event_time FROM pg_temp.stream_keys ORDER BY key
    ON CONFLICT DO NOTHING RETURNING key
)
SELECT number FROM pg_temp.stream_keys s WHERE NOT EXISTS (SELECT FROM new WHERE new.key = s.key)
"""


@dataclass(frozen=True)
class Dedup:
    """Finds repeated events of one stream."""

    stream: Stream
    key: Sequence[str]
    #: Under which name keys are remembered.
    within: str

    def prepare(self, connection: Connection) -> None:
        connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS stream_keys (number bigint, text text, event_time timestamptz,"
            " key uuid GENERATED ALWAYS AS (md5(text)::uuid) STORED) ON COMMIT DELETE ROWS"
        )

    def first(self, connection: Connection, events: pl.DataFrame) -> pl.DataFrame:
        """The events whose key none had before, within a transaction."""
        if not events.height:
            return events
        keyed = events.with_row_index("number").select(
            pl.col("number").cast(pl.Int64),
            pl.struct(self.key).struct.json_encode().alias("text"),
            pl.col(self.stream.event_time).alias("event_time"),
        )
        once = keyed.unique("text", keep="first", maintain_order=True)
        with BinaryCopy(connection, sql.Identifier("pg_temp", "stream_keys"), _STAGED) as copy:
            copy.write(once)
        found = connection.execute(_REPEATED, {"stream": self.within}).fetchall()
        if not found and once.height == events.height:
            return events
        repeated = [number for (number,) in found]
        return events[once.filter(~pl.col("number").is_in(repeated))["number"]]

    def forget(self, connection: Connection, watermark: datetime) -> None:
        """Keys of events that would be left out, because they were late."""
        until = self.stream.late_until if self.stream.late == "update" else timedelta(0)
        connection.execute(
            "DELETE FROM streams.keys WHERE stream = %s AND event_time < %s::timestamptz - %s::interval",
            [self.within, watermark, until],
        )

    def forget_all(self, connection: Connection) -> None:
        connection.execute("DELETE FROM streams.keys WHERE stream = %s", [self.within])


def dedup_of(stream: Stream, contract: Contract, within: str | None = None) -> Dedup | None:
    """None where every event counts: the contract has no key, or keeps duplicates."""
    return (
        Dedup(stream, contract.key, within or stream.name)
        if contract.key and contract.policy.duplicates != "keep"
        else None
    )
