"""Tables by partition: values come back as they went in, and a partition is replaced, whatever happens meanwhile."""

from datetime import date

import pandas as pd
import polars as pl
import psycopg
import pytest
from fields import WINDOW_2020, WINDOW_2021
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from lastmile.learning.tables import as_polars, insert, read, replacing

TABLE = "features.things"
ALL = sql.SQL("SELECT * FROM features.things")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
things = st.fixed_dictionaries(
    {
        "name": st.none() | texts,
        "day": st.datetimes(pd.Timestamp(2020, 1, 1), pd.Timestamp(2020, 12, 31)).map(lambda day: day.date()),
        "at": st.none() | st.datetimes(pd.Timestamp(1900, 1, 1), pd.Timestamp(2200, 1, 1)),
        "number": st.none() | st.floats(allow_nan=False),
        "count": st.none() | st.integers(-(2**53), 2**53),
        "yes": st.none() | st.booleans(),
    }
)
TYPES = {
    "name": "str",
    "day": "datetime64[us]",
    "at": "datetime64[us, UTC]",
    "number": "float64",
    "count": "Int64",
    "yes": "boolean",
}


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    found = pd.DataFrame(list(rows), columns=list(TYPES))
    return found.assign(at=pd.to_datetime(found["at"], utc=True)).astype(TYPES)


def thing(name: str, day: date) -> dict[str, object]:
    return {"name": name, "day": day, "at": None, "number": 1.5, "count": 2, "yes": True}


def put(connection: psycopg.Connection, rows: pd.DataFrame, window: tuple[date, date] = WINDOW_2020) -> None:
    typed = as_polars(rows, dates=["day"])
    with replacing(connection, TABLE, typed.schema, "day", window):
        insert(connection, TABLE, typed)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(things, max_size=8))
def test_any_value_comes_back_as_it_went_in(connection: psycopg.Connection, rows: list[dict[str, object]]) -> None:
    put(connection, frame(*rows))
    found = read(connection, ALL)
    assert found.astype({**TYPES}).equals(frame(*rows))


def test_only_the_partition_is_replaced(connection: psycopg.Connection) -> None:
    put(connection, frame(thing("old", date(2020, 5, 1)), thing("gone", date(2020, 12, 31))))
    put(connection, frame(thing("next year", date(2021, 1, 1))), WINDOW_2021)
    put(connection, frame(thing("new", date(2020, 5, 1))))
    assert sorted(read(connection, ALL)["name"]) == ["new", "next year"]


def test_a_partition_whose_filling_fails_keeps_its_rows(connection: psycopg.Connection) -> None:
    put(connection, frame(thing("old", date(2020, 5, 1))))
    typed = as_polars(frame(thing("half", date(2020, 5, 1))), dates=["day"])
    with (
        pytest.raises(psycopg.errors.UndefinedColumn),
        replacing(connection, TABLE, typed.schema, "day", WINDOW_2020),
    ):
        insert(connection, TABLE, typed.with_columns(size=pl.lit(1)))
    assert list(read(connection, ALL)["name"]) == ["old"]


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
    assert list(read(connection, ALL)["name"].value_counts()) == [19]


def test_a_new_column_is_added_to_the_rows_there_are(connection: psycopg.Connection) -> None:
    put(connection, frame(thing("old", date(2020, 5, 1))))
    put(connection, frame(thing("new", date(2021, 5, 1))).assign(size=2.5), WINDOW_2021)
    found = read(connection, ALL).set_index("name")["size"]
    assert pd.isna(found["old"])
    assert found["new"] == 2.5
