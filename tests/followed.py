"""A shop that changes its stock, following it, and comparing what it has with what is here."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
from declaring import dataset

from lastmile.contracts import Contract
from lastmile.contracts.fields import column
from lastmile.embedded import postgres as embedded_postgres
from lastmile.sources import Changes, Setting
from lastmile.sources.changes.running import run_changes
from lastmile.sources.runs import Ran

VARIABLE = "LASTMILE_SOURCE_SHOP_DATABASE"
COLUMNS = {
    "article": column(int, "Number of the article.", required=True),
    "name": column(str, "Its name."),
    "quantity": column(int, "Pieces in stock.", ge=0),
    "price": column(float, "Price of one."),
    "checked_at": column(pl.Datetime("us", "UTC"), "When it was counted."),
}
TABLE = """
    CREATE TABLE stock (
        article bigint PRIMARY KEY, name text, quantity integer, price numeric(10, 2), checked_at timestamptz
    )
"""


def source(**more: Any) -> Changes:
    usual = {
        "name": "stock",
        "dataset": "stock",
        "description": "Stock.",
        "owner": "team:shop",
        "url": Setting(VARIABLE),
        "table": "public.stock",
    }
    return Changes(**{**usual, **more})


def contract(**more: Any) -> Contract:
    return dataset(more.pop("columns", COLUMNS), **{"name": "stock", "key": ("article",), **more})


@dataclass
class Shop:
    """`there` is its database, `here` ours."""

    there: psycopg.Connection
    here: psycopg.Connection

    def create(self, articles: int = 10) -> None:
        self.does(TABLE)
        self.does(
            "INSERT INTO stock SELECT n, 'article ' || n, n * 10, n + 0.99, '2024-05-31 14:30:00+02'"
            f" FROM generate_series(1, {articles}) n"
        )

    def does(self, *statements: str) -> None:
        """In one transaction."""
        with self.there.transaction():
            for statement in statements:
                self.there.execute(statement.encode())

    def another(self) -> psycopg.Connection:
        """Another connection to ours."""
        return psycopg.connect(self.here.info.dsn, password=self.here.info.password, autocommit=True)

    def follow(self, made: Changes | None = None, under: Contract | None = None, **more: Any) -> Ran:
        return run_changes(self.here, made or source(), under or contract(), **more)

    def has(self, columns: str = "article, name, quantity, price::float8, checked_at") -> list[tuple[Any, ...]]:
        return self.there.execute(f"SELECT {columns} FROM stock ORDER BY 1".encode()).fetchall()

    def shows(self, columns: str = "article, name, quantity, price, checked_at") -> list[tuple[Any, ...]]:
        return self.here.execute(f"SELECT {columns} FROM changes.stock ORDER BY 1".encode()).fetchall()

    def history(self, columns: str = "op, key, before ->> 'quantity', after ->> 'quantity'") -> list[tuple[Any, ...]]:
        """Without what the first snapshot read."""
        rows = f"SELECT {columns} FROM changes.stock_history WHERE NOT (op = 'r' AND snapshot = 1)"
        return self.here.execute(f"{rows} ORDER BY snapshot, lsn, number".encode()).fetchall()

    def quarantined(self) -> list[tuple[Any, ...]]:
        return self.here.execute(
            "SELECT convert_from(key, 'utf8'), rule, reasons -> 0 ->> 'message', \"offset\", index"
            ' FROM quarantine.messages ORDER BY partition, "offset", index'
        ).fetchall()


@dataclass
class Server:
    """A Postgres of the test's own, that may be killed."""

    folder: Path
    url: str = ""

    def start(self) -> None:
        self.url = embedded_postgres.start(self.folder)

    def kill(self) -> None:
        os.kill(int((self.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        self.start()

    def stop(self) -> None:
        embedded_postgres.stop(self.folder)
