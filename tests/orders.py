"""Orders of a shop behind an API, fetched and ingested by hand: each row in the warehouse shows where it came from."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from declaring import dataset
from psycopg.rows import dict_row
from rest_server import Api, Reply, Request

from lastmile.contracts import Contract, Partition, column
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.sources import Incremental, PageNumber, Rest
from lastmile.sources.running import run
from lastmile.sources.runs import Ran
from lastmile.store import Store
from lastmile.warehouse.tables import ensure_table

#: Without a key, so that a row which came twice is there twice.
ORDERS = dataset(
    name="orders",
    description="Orders.",
    partition=Partition("day", start=date(2026, 1, 1)),
    columns={
        "order_id": column(str, "Number.", required=True),
        "at": column(datetime, "Changed.", required=True),
        "amount": column(float, "Amount.", ge=0),
    },
    max_bad_share=0.5,
    quiet_period=timedelta(0),
)
START = datetime(2026, 3, 1, tzinfo=UTC)


def moment(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@dataclass
class Shop:
    """The API, and the source of it: records from `since` on, inclusive, in pages of ten."""

    api: Api
    store: Store
    connection: psycopg.Connection
    contract: Contract = ORDERS
    records: list[dict[str, Any]] = field(default_factory=list)
    #: Whether the server knows of `since`.
    heeds: bool = True
    overlap: timedelta | None = timedelta(minutes=10)

    def add(self, *minutes: float, amount: float = 1.5) -> None:
        for minute in minutes:
            number = len(self.records)
            self.records.append({"order_id": f"o{number}", "at": moment(minute), "amount": amount})

    def answer(self, request: Request) -> Reply:
        since = request.params.get("since") if self.heeds else None
        found = sorted((one for one in self.records if since is None or one["at"] >= since), key=lambda one: one["at"])
        first = (int(request.params["page"]) - 1) * 10
        return Reply(found[first : first + 10])

    def source(self, **more: Any) -> Rest:
        self.api.routes["/orders"] = self.answer
        said: dict[str, Any] = {
            "name": "shop", "dataset": "orders", "description": "", "owner": "team:a", "path": "/orders",
            "url": self.api.url, "pages": PageNumber(),
            "incremental": Incremental(field="at", parameter="since", overlap=self.overlap),
        }  # fmt: skip
        return Rest(**{**said, **more})

    def fetch(self, since: str | None = None, **more: Any) -> Ran:
        return run(self.connection, self.store, self.source(**more), self.contract, since=since)

    def ingest(self) -> list[str]:
        discover(self.connection, self.store, {"orders": self.contract})
        days = [day for (day,) in self.connection.execute("SELECT DISTINCT partition FROM ledger.drops").fetchall()]
        return [one.state for one in ingest_pending(self.connection, self.store, self.contract, days, "test", False)]

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql, values).fetchall()

    def rows(self) -> Counter[str]:
        return Counter(row["order_id"] for row in self.query("SELECT order_id FROM raw.orders"))

    def once(self) -> Counter[str]:
        """What there should be: each record of the API once."""
        return Counter(one["order_id"] for one in self.records)

    def landed_keys(self) -> list[str]:
        return sorted(one.key for one in self.store.list("landing/"))


@contextmanager
def shop_at(api: Api, store: Store, database_url: str) -> Iterator[Shop]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        ensure_table(connection, ORDERS)
        yield Shop(api, store, connection)
