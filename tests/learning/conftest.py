"""Rows to learn from, and the same rows as marts."""

from collections.abc import Iterator

import pandas as pd
import psycopg
import pytest
from fields import fields

from lastmile.learning.tables import as_polars, insert
from lastmile.warehouse.connections import connect


@pytest.fixture
def rows() -> pd.DataFrame:
    return fields()


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with connect(database_url) as connection:
        yield connection


@pytest.fixture
def marts(connection: psycopg.Connection, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as two marts; every tenth has no level."""
    connection.execute(
        """
        CREATE SCHEMA marts;
        CREATE TABLE marts.dim_field (field text, village text, season date, soil text, rain_mm double precision,
            noise double precision, irrigated boolean);
        CREATE TABLE marts.fct_field (field text, yield_level text, harvest_kg double precision);
        """
    )
    rows = rows.assign(yield_level=rows["yield_level"].where(rows.index % 10 != 0))
    described = rows.drop(columns=["yield_level", "harvest_kg"])
    insert(connection, "marts.dim_field", as_polars(described, dates=["season"]))
    insert(connection, "marts.fct_field", as_polars(rows[["field", "yield_level", "harvest_kg"]]))
    return rows
