"""A database with orders, sources of it, and what comes of fetching from them."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from declaring import dataset

from lastmile.contracts import Contract, Partition, column
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.sources import CursorColumn, Query, Setting, Table
from lastmile.sources.fetching import Fetched, Report, Task, fetched
from lastmile.sources.running import run
from lastmile.sources.runs import Ran
from lastmile.store import Store
from lastmile.warehouse.tables import ensure_table

VARIABLE = "LASTMILE_SOURCE_SHOP_DATABASE"
#: Without a key, so that a row which came twice is there twice.
ORDERS = dataset(
    name="orders",
    description="Orders.",
    partition=Partition("day", start=date(2026, 1, 1)),
    columns={
        "id": column(int, "Number.", required=True),
        "at": column(datetime, "Changed."),
        "amount": column(float, "Amount.", ge=0),
    },
    max_bad_share=0.5,
    quiet_period=timedelta(0),
)
_SAID = {"name": "orders", "dataset": "orders", "description": "", "owner": "team:a", "url": Setting(VARIABLE)}


def table(**more: Any) -> Table:
    return Table(**{**_SAID, "table": "orders", **more})


def query(sql: str, **more: Any) -> Query:
    return Query(**{**_SAID, "sql": sql, **more})


@dataclass
class Origin:
    """`there` is the database that is read, `here` the warehouse."""

    there: Any
    here: psycopg.Connection
    store: Store
    folder: Path
    contract: Contract = ORDERS
    report: Report = field(default_factory=Report)

    def does(self, *statements: str) -> None:
        with self.there.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement.encode() if isinstance(self.there, psycopg.Connection) else statement)

    def create(self, orders: int = 5) -> None:
        """Orders 1, 2, ..., one a minute, each with its number as the amount."""
        self.does("CREATE TABLE orders (id bigint PRIMARY KEY, at timestamp NULL, amount decimal(12, 2))")
        self.add(*range(1, orders + 1))

    def add(self, *numbers: int, minute: int | None = None, at: str | None = None) -> None:
        for number in numbers:
            shown = number if minute is None else minute
            moment = at or f"'2026-03-01 {shown // 60:02}:{shown % 60:02}:00'"
            self.does(f"INSERT INTO orders VALUES ({number}, {moment}, {number}.50)")

    def fetch(
        self, source: Table | Query, begin: str | None = None, reached: str | None = None, **more: Any
    ) -> Fetched:
        self.report = Report()
        return fetched(source, Task(folder=self.folder, begin=begin, reached=reached, report=self.report, **more))

    def rows(self, source: Table | Query, **more: Any) -> list[dict[str, Any]]:
        return pl.read_parquet(self.fetch(source, **more).file).to_dicts()

    def run(self, source: Table | Query, since: str | None = None) -> Ran:
        return run(self.here, self.store, source, self.contract, since=since)

    def ingest(self) -> list[str]:
        ensure_table(self.here, self.contract)
        discover(self.here, self.store, {"orders": self.contract})
        days = [day for (day,) in self.here.execute("SELECT DISTINCT partition FROM ledger.drops").fetchall()]
        return [one.state for one in ingest_pending(self.here, self.store, self.contract, days, "test", False)]

    def loaded(self) -> Counter[int]:
        return Counter(number for (number,) in self.here.execute("SELECT id FROM raw.orders").fetchall())


def by_time(overlap: timedelta | None = timedelta(minutes=10)) -> CursorColumn:
    return CursorColumn("at", overlap=overlap)
