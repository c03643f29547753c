"""Rows to learn from, and the same rows as marts."""

from collections.abc import Iterator

import polars as pl
import psycopg
import pytest
from fields import fields

from lastmile.learning.tables import insert
from lastmile.warehouse.connections import connect


@pytest.fixture
def rows() -> pl.DataFrame:
    return fields()


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with connect(database_url) as connection:
        yield connection


@pytest.fixture
def marts(connection: psycopg.Connection, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows as two marts; every tenth has no level."""
    connection.execute(
        """
        CREATE SCHEMA marts;
        CREATE TABLE marts.dim_field (field text, village text, season date, soil text, rain_mm double precision,
            noise double precision, irrigated boolean);
        CREATE TABLE marts.fct_field (field text, yield_level text, harvest_kg double precision);
        """
    )
    rows = rows.with_columns(yield_level=pl.when(pl.int_range(pl.len()) % 10 != 0).then(pl.col("yield_level")))
    insert(connection, "marts.dim_field", rows.drop("yield_level", "harvest_kg"))
    insert(connection, "marts.fct_field", rows.select("field", "yield_level", "harvest_kg"))
    return rows
