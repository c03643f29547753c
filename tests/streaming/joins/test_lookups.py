"""An event has the columns of a table's row that was valid when it happened, as SQL would find it."""

from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from window_events import as_table, at, event, frame, histories

from lastmile.errors import UserError
from lastmile.streaming import AsOf, Stream
from lastmile.streaming.joins.lookups import Lookups

PRICES = AsOf(
    name="prices",
    relation="marts.prices",
    keys={"shop": "of_shop", "till": "till"},
    valid_from="valid_from",
    columns={"price_list": pl.String, "rate": pl.Decimal(10, 2)},
)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as made:
        made.execute("CREATE SCHEMA marts")
        made.execute(
            'CREATE TABLE marts.prices (of_shop text COLLATE "C", till bigint, valid_from timestamptz, price_list text,'
            " rate numeric)"
        )
        yield made


def stream(*steps: AsOf) -> Stream:
    return Stream(
        name="sales", description="Sales.", owner="team:shop", topic="t", contract="c", event_time="at", steps=steps
    )


def looked_up(connection: psycopg.Connection, events: pl.DataFrame, step: AsOf = PRICES) -> pl.DataFrame:
    one = stream(step)
    lookups = Lookups(one)
    lookups.refresh(connection)
    return one.stepped(events, lookups.tables)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=histories(), versions=histories(15))
def test_the_newest_row_valid_by_the_time_of_the_event_is_found(
    connection: psycopg.Connection, batches: list[pl.DataFrame], versions: list[pl.DataFrame]
) -> None:
    events = pl.concat(batches)
    connection.execute("TRUNCATE marts.prices")
    for number, row in enumerate(pl.concat(versions).unique(["shop", "till", "at"]).iter_rows(named=True)):
        values = [row["shop"], row["till"], row["at"], f"list {number}", number]
        connection.execute("INSERT INTO marts.prices VALUES (%s, %s, %s, %s, %s)", values)
    as_table(connection, [events])
    expected = connection.execute("""
        SELECT _partition, _offset, price_list, rate::numeric(10, 2) FROM events LEFT JOIN LATERAL (
            SELECT * FROM marts.prices p WHERE p.of_shop = shop AND p.till = events.till AND valid_from <= at
            ORDER BY valid_from DESC LIMIT 1) found ON true
    """).fetchall()
    found = looked_up(connection, events)
    assert found.select("_partition", "_offset").rows() == events.select("_partition", "_offset").rows()
    assert sorted(found.select("_partition", "_offset", "price_list", "rate").rows()) == sorted(expected)


def test_a_table_without_times_gives_its_one_row_for_a_key_and_refuses_two(connection: psycopg.Connection) -> None:
    shops = AsOf(name="shops", relation="marts.prices", keys={"shop": "of_shop"}, columns={"price_list": pl.String})
    connection.execute("INSERT INTO marts.prices VALUES ('a', 1, now(), 'low'), (NULL, 1, now(), 'none')")
    events = frame([event(at("2024-05-01"), shop=shop) for shop in ("b", "a", None)])
    assert looked_up(connection, events, shops)["price_list"].to_list() == [None, "low", None]
    connection.execute("INSERT INTO marts.prices VALUES ('a', 2, now(), 'high')")
    with pytest.raises(UserError, match=r"several rows for .*'of_shop': 'a'.*valid_from"):
        looked_up(connection, events, shops)


def test_each_version_of_a_table_is_recorded_once(connection: psycopg.Connection) -> None:
    often = AsOf(
        name="prices", relation="marts.prices", keys={"shop": "of_shop"}, columns={"rate": pl.Int64},
        refresh=timedelta(seconds=1),
    )  # fmt: skip
    for _ in range(2):
        Lookups(stream(often)).refresh(connection)
    connection.execute("INSERT INTO marts.prices VALUES ('a', 1, now(), 'low', 3)")
    Lookups(stream(often)).refresh(connection)
    found = connection.execute("SELECT lookup, version, relation, rows FROM streams.lookups ORDER BY version")
    assert found.fetchall() == [("prices", 1, "marts.prices", 0), ("prices", 2, "marts.prices", 1)]


def test_a_table_that_is_not_there_ends_the_stream_but_one_that_goes_later_does_not(
    connection: psycopg.Connection,
) -> None:
    often = AsOf(
        name="prices", relation="marts.prices", keys={"shop": "of_shop"}, columns={"rate": pl.Int64},
        refresh=timedelta(seconds=1),
    )  # fmt: skip
    lookups = Lookups(stream(often))
    lookups.refresh(connection)
    connection.execute("DROP TABLE marts.prices")
    lookups._due = {"prices": 0.0}
    lookups.refresh(connection)
    assert lookups.tables["prices"].height == 0
    with pytest.raises(UserError, match="dbt build"):
        Lookups(stream(often)).refresh(connection)
