"""A dataset with a column of every type, its table, and the warehouse it is in."""

from collections.abc import Iterator
from datetime import date

import psycopg
import pytest

from lastmile.contracts import Contract, Partition, boolean, day, integer, moment, number, text
from lastmile.warehouse.tables import ensure_table


@pytest.fixture(scope="session")
def contract() -> Contract:
    columns = {
        "f": number("f"),
        "i": integer("i"),
        "b": boolean("b"),
        "d": day("d"),
        "m": moment("m"),
        "t": text("t"),
    }
    return Contract(
        "kinds", "A column of every type.", "team@example.org", Partition("year", date(2010, 1, 1)), columns
    )


@pytest.fixture
def connection(database_url: str, contract: Contract) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        ensure_table(opened, contract)
        yield opened
