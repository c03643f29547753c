"""A small stream, sent to and read by hand: what the tests of streams work with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pyarrow as pa
from declaring import changed, dataset
from kafka_broker import RunningBroker
from psycopg.rows import dict_row

from lastmile.contracts import Contract, Partition, column
from lastmile.store import Store
from lastmile.streaming import Hopping, Session, Stream, Tumbling
from lastmile.streaming.consumer.running import Running, Surroundings

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
SALES = dataset(
    name="sales",
    description="Sales of a shop, one event each.",
    partition=Partition("day", start=date(2026, 1, 1)),
    columns={
        "sale": column(str, "Number of the sale.", required=True),
        "at": column(datetime, "When.", required=True),
        "shop": column(str, "Where.", required=True, isin=["north", "south"]),
        "cents": column(int, "What was paid.", required=True, ge=0, le=1_000_000),
        "note": column(str, "Anything."),
    },
)
BY_MINUTE = Tumbling(
    name="sales_by_minute",
    every=timedelta(minutes=1),
    keys=("shop",),
    values={
        "sales": pl.len(),
        "cents": pl.col("cents").sum(),
        "least": pl.col("cents").min(),
        "most": pl.col("cents").max(),
        "notes": pl.col("note").count(),
    },
)
#: Spans that overlap, and sessions.
LATELY = Hopping(
    name="sales_lately",
    every=timedelta(minutes=2),
    size=timedelta(minutes=5),
    keys=("shop",),
    values={"sales": pl.len(), "average": pl.col("cents").mean()},
)
RUSHES = Session(
    name="rushes", gap=timedelta(seconds=20), keys=("shop",), values={"sales": pl.len(), "cents": pl.col("cents").sum()}
)
STREAM = Stream(
    name="sales",
    description="Sales as they are made.",
    owner="team:shop",
    topic="sales",
    contract="sales",
    event_time="at",
    lateness=timedelta(minutes=1),
    windows=(BY_MINUTE,),
    lands=False,
)


def sale(number: int, seconds: float = 0, **given: Any) -> dict[str, Any]:
    """An event, so many seconds after START."""
    at = (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")
    shop = "north" if number % 2 else "south"
    return {"sale": f"s{number:06}", "at": at, "shop": shop, "cents": number % 1_000, "note": None, **given}


def arrow(table: pa.Table) -> bytes:
    """An envelope."""
    file = pa.BufferOutputStream()
    with pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    return bytes(file.getvalue())


def message(event: Mapping[str, Any] | bytes | None) -> bytes | None:
    return event if event is None or isinstance(event, bytes) else json.dumps(event).encode()


@dataclass
class Shop:
    """A topic of its own, and the stream that reads it."""

    kafka: RunningBroker
    database_url: str
    store: Store
    partitions: int = 1
    stream: Stream = STREAM
    contract: Contract = SALES
    landing_seconds: float = 30.0
    topic: str = field(init=False)

    def __post_init__(self) -> None:
        self.topic = self.kafka.new_topic(self.partitions)
        self.stream = replace(self.stream, topic=self.topic, name=self.stream.name)

    def send(self, *events: Mapping[str, Any] | bytes | None, partition: int = 0) -> None:
        self.kafka.send(self.topic, map(message, events), partition)

    def running(self, until_caught_up: bool = True, **changed: Any) -> Running:
        """A process of the stream in this one, with a changed declaration."""
        here = Surroundings(
            self.database_url,
            self.store,
            {"bootstrap.servers": self.kafka.servers, "log_level": "0"},
            self.landing_seconds,
        )
        return Running(replace(self.stream, **changed), self.contract, here, until_caught_up)

    def read(self, **changed: Any) -> int:
        """Read all there is; how many events were committed."""
        running = self.running(**changed)
        running.run()
        return running.events

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    def windows(self, name: str = "sales_by_minute") -> list[dict[str, Any]]:
        return self.rows(f"SELECT * FROM windows.{name} ORDER BY window_start, shop")

    def quarantined(self) -> list[dict[str, Any]]:
        return self.rows('SELECT * FROM quarantine.messages ORDER BY partition, "offset", index')


def expected(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What `sales_by_minute` has to be, by plain Python."""
    found: dict[tuple[datetime, str], list[Mapping[str, Any]]] = {}
    for event in events:
        at = datetime.fromisoformat(event["at"])
        found.setdefault((at.replace(second=0, microsecond=0), event["shop"]), []).append(event)
    return [
        {
            "shop": shop,
            "window_start": start,
            "window_end": start + timedelta(minutes=1),
            "sales": len(some),
            "cents": sum(one["cents"] for one in some),
            "least": min(one["cents"] for one in some),
            "most": max(one["cents"] for one in some),
            "notes": sum(one["note"] is not None for one in some),
        }
        for (start, shop), some in sorted(found.items())
    ]


SALES_BY_KEY = changed(SALES, key=("sale",))
