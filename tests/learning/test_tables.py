"""Tables by partition: values come back as they went in, and a partition is replaced, whatever happens meanwhile."""

from datetime import date

import polars as pl
import psycopg
import pytest
from fields import WINDOW_2020, WINDOW_2021
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from lastmile.learning.tables import Columns, insert, read, replacing

COLUMNS: Columns = {
    "name": "text",
    "day": "date",
    "number": "double precision",
    "count": "integer",
    "yes": "boolean",
}
TABLE = "features.things"
ALL = sql.SQL("SELECT * FROM features.things").format()

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
things = st.fixed_dictionaries(
    {
        "name": st.none() | texts,
        "day": st.dates(date(2020, 1, 1), date(2020, 12, 31)),
        "number": st.none() | st.floats(allow_nan=False),
        "count": st.none() | st.integers(-(2**31), 2**31 - 1),
        "yes": st.none() | st.booleans(),
    }
)


def frame(*rows: dict[str, object]) -> pl.DataFrame:
    types = {"name": pl.String, "day": pl.Date, "number": pl.Float64, "count": pl.Int64, "yes": pl.Boolean}
    return pl.DataFrame(list(rows), schema=types)


def thing(name: str, day: date) -> dict[str, object]:
    return {"name": name, "day": day, "number": 1.5, "count": 2, "yes": True}


def put(connection: psycopg.Connection, rows: pl.DataFrame, window: tuple[date, date] = WINDOW_2020) -> None:
    with replacing(connection, TABLE, COLUMNS, "day", window):
        insert(connection, TABLE, rows)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(things, max_size=8))
def test_any_value_comes_back_as_it_went_in(connection: psycopg.Connection, rows: list[dict[str, object]]) -> None:
    put(connection, frame(*rows))
    assert read(connection, ALL, COLUMNS).equals(frame(*rows))


def test_only_the_partition_is_replaced(connection: psycopg.Connection) -> None:
    put(connection, frame(thing("old", date(2020, 5, 1)), thing("gone", date(2020, 12, 31))))
    put(connection, frame(thing("next year", date(2021, 1, 1))), WINDOW_2021)
    put(connection, frame(thing("new", date(2020, 5, 1))))
    assert sorted(read(connection, ALL, COLUMNS)["name"]) == ["new", "next year"]


def test_a_partition_whose_filling_fails_keeps_its_rows(connection: psycopg.Connection) -> None:
    put(connection, frame(thing("old", date(2020, 5, 1))))
    with pytest.raises(psycopg.errors.UndefinedColumn):
        put(connection, frame(thing("half", date(2020, 5, 1))).with_columns(size=pl.lit(1)))
    assert list(read(connection, ALL, COLUMNS)["name"]) == ["old"]


def test_two_that_replace_a_partition_at_once_leave_the_rows_of_one(
    connection: psycopg.Connection, database_url: str
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    put(connection, frame())

    def replace(number: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as other:
            put(other, frame(*(thing(f"{number}", date(2020, 1, day)) for day in range(1, 20))))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replace, range(8)))
    assert read(connection, ALL, COLUMNS)["name"].value_counts()["count"].to_list() == [19]


def test_a_new_column_is_added_to_the_rows_there_are(connection: psycopg.Connection) -> None:
    put(connection, frame(thing("old", date(2020, 5, 1))))
    wider: Columns = {**COLUMNS, "size": "double precision"}
    with replacing(connection, TABLE, wider, "day", WINDOW_2021):
        insert(connection, TABLE, frame(thing("new", date(2021, 5, 1))).with_columns(size=pl.lit(2.5)))
    assert dict(read(connection, ALL, wider).select("name", "size").iter_rows()) == {"old": None, "new": 2.5}
