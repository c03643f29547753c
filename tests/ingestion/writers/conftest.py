"""A dataset with a column of every type, its table, and the warehouse it is in."""

from collections.abc import Iterator
from datetime import date, datetime

import psycopg
import pytest
from declaring import dataset

from lastmile.contracts import Contract, column
from lastmile.warehouse.tables import ensure_table


@pytest.fixture(scope="session")
def contract() -> Contract:
    columns = {
        "f": column(float, "f"),
        "i": column(int, "i"),
        "b": column(bool, "b"),
        "d": column(date, "d"),
        "m": column(datetime, "m"),
        "t": column(str, "t"),
    }
    return dataset(columns, name="kinds", description="A column of every type.")


@pytest.fixture
def connection(database_url: str, contract: Contract) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        ensure_table(opened, contract)
        yield opened
