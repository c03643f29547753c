"""A small dataset, and its intake driven by hand: what the tests of the intake work with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import polars as pl
import psycopg
from declaring import changed, dataset, rule
from psycopg.rows import dict_row

from lastmile.contracts import Contract, Partition, column
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.ledger import Outcome
from lastmile.operations.audit import violations
from lastmile.store import Store
from lastmile.warehouse.tables import ensure_table

VISITS = dataset(
    description="Visits of a field team; one row per visit.",
    partition=Partition("year", start=date(2015, 1, 1)),
    key=("visit",),
    columns={
        "visit": column(str, "Number of the visit.", required=True),
        "persons": column(int, "Persons met.", unit="persons", ge=0, le=50),
        "hours": column(float, "Time spent.", unit="h", ge=0, aliases=("duration",)),
        "travel_hours": column(float, "Of which on the way.", unit="h", ge=0),
        "outcome": column(str, "How it ended.", isin=["done", "absent"]),
    },
    checks=[
        rule("travel_within_hours", pl.col("travel_hours") <= pl.col("hours"), "travel takes part of the time only")
    ],
    max_bad_share=0.5,
    quiet_period=timedelta(0),
)
HEADER = "visit,persons,hours,travel_hours,outcome"
YEARS = ["2019", "2020", "2021"]


@dataclass
class Site:
    """The intake of one dataset, driven by hand."""

    store: Store
    connection: psycopg.Connection
    database_url: str
    contract: Contract = VISITS

    def put(self, name: str, body: str | bytes, year: str = "2020") -> str:
        key = f"landing/{self.contract.name}/{year}/{name}"
        self.store.put(key, body.encode() if isinstance(body, str) else body)
        return key

    def put_rows(self, name: str, *rows: str, year: str = "2020") -> str:
        return self.put(name, "\n".join([HEADER, *rows]) + "\n", year)

    def discover(self) -> int:
        return discover(self.connection, self.store, {self.contract.name: self.contract})

    def take(
        self, redo: bool = False, run_id: str = "test", partitions: Sequence[str] = YEARS, **more: Any
    ) -> list[Outcome]:
        return ingest_pending(self.connection, self.store, self.contract, partitions, run_id, redo, **more)

    def arrive(self, *args: str, year: str = "2020") -> Outcome:
        """Put one drop, find it, take it."""
        self.put_rows(*args, year=year)
        self.discover()
        (outcome,) = self.take()
        return outcome

    def began(self, day: str) -> None:
        """The first drop appeared on that day: what is for partitions that ended before is history, not late."""
        self.query("UPDATE ledger.drops SET modified_at = %s, discovered_at = %s WHERE id = 1 RETURNING id", day, day)

    def folder(self) -> Path:
        """Where the objects lie, if the store is a folder."""
        return Path(unquote(urlparse(self.store.url).path))

    def under(self, **changes: Any) -> "Site":
        """The same site under a changed contract."""
        self.contract = changed(self.contract, **changes)
        return self

    def query(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql, values).fetchall()

    def visits(self) -> list[str]:
        return [row["visit"] for row in self.query("SELECT visit FROM raw.visits ORDER BY visit")]

    def drops(self) -> list[dict[str, Any]]:
        return self.query("SELECT * FROM ledger.drops ORDER BY id")

    def states(self) -> list[str]:
        return [drop["state"] for drop in self.drops()]

    def aside(self) -> list[dict[str, Any]]:
        return self.query("SELECT * FROM quarantine.rows ORDER BY drop_id, line")

    def cleaned(self) -> list[str]:
        """Visits in the cleaned Parquet files that the ledger names."""
        keys = [drop["cleaned_key"] for drop in self.drops() if drop["state"] == "loaded" and drop["cleaned_key"]]
        return sorted(visit for key in keys for visit in pl.read_parquet(self.store.read(key))["visit"])


@contextmanager
def checked_site(store: Store, database_url: str) -> Iterator[Site]:
    """A site whose books must be right at the end, and whose cleaned files hold what its table does."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        site = Site(store, connection, database_url)
        ensure_table(connection, site.contract)
        yield site
        assert violations(connection, site.contract.name) == []
        assert site.cleaned() == site.visits()
