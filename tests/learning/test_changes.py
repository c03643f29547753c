"""What changed in a feature set: labelled rows that came or are not as they were, however often they are made."""

from datetime import date

import pandas as pd
import psycopg
from fields import FIELDS

from lastmile.learning.features.building import conform, keep, stored
from lastmile.store import Store

WINDOW = (date(2020, 1, 1), date(2021, 1, 1))


def counted(connection: psycopg.Connection) -> tuple[int, int, int]:
    """Rows of the partition, labelled ones, and those that changed, ever."""
    return connection.execute(
        "SELECT rows, (labelled ->> 'yield_level')::int, (changed ->> 'yield_level')::int"
        " FROM registry.feature_partitions WHERE name = 'fields'"
    ).fetchall()[0]


def put(connection: psycopg.Connection, store: Store, rows: pd.DataFrame) -> None:
    keep(connection, store, FIELDS, "2020", WINDOW, conform(FIELDS, rows, WINDOW))


def of_2020(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[list(FIELDS.columns)].head(100).reset_index(drop=True)


def test_rows_made_again_as_they_were_are_no_change(
    connection: psycopg.Connection, store: Store, rows: pd.DataFrame
) -> None:
    for _ in range(3):
        put(connection, store, of_2020(rows))
    assert counted(connection) == (100, 100, 100)


def test_a_row_that_came_and_one_that_is_not_as_it_was_are_two_changes(
    connection: psycopg.Connection, store: Store, rows: pd.DataFrame
) -> None:
    put(connection, store, of_2020(rows).head(99))
    now = of_2020(rows)
    now.loc[3, "rain_mm"] = 1.5
    put(connection, store, now)
    assert counted(connection) == (100, 100, 101)


def test_an_unlabelled_row_is_nothing_new_to_learn_from_until_its_label_comes(
    connection: psycopg.Connection, store: Store, rows: pd.DataFrame
) -> None:
    unlabelled = of_2020(rows)
    unlabelled["yield_level"] = unlabelled["yield_level"].where(unlabelled.index >= 10)
    put(connection, store, unlabelled)
    assert counted(connection) == (100, 90, 90)
    put(connection, store, of_2020(rows))
    assert counted(connection) == (100, 100, 100)


def test_the_count_is_part_of_the_transaction_that_replaces_the_rows(
    connection: psycopg.Connection, store: Store, rows: pd.DataFrame
) -> None:
    with connection.transaction(force_rollback=True):
        put(connection, store, of_2020(rows))
    assert connection.execute("SELECT count(*) FROM registry.feature_partitions").fetchone() == (0,)
    assert stored(FIELDS).partitions(store) == ["2020"]
