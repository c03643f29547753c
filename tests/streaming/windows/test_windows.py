"""The windows that a stream makes are those that plain SQL makes of all events, however they were cut into batches."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from window_events import SCHEMA, applied, as_table, at, event, frame, histories, rows_of

from lastmile.streaming import Hopping, Session, Tumbling
from lastmile.streaming.windows.sessions import Sessions
from lastmile.streaming.windows.spans import Spans

_MINUTE = timedelta(minutes=1)
VALUES = {
    "events": pl.len(),
    "counted": pl.col("pieces").count(),
    "pieces_sold": pl.col("pieces").sum(),
    "turnover": pl.col("price").sum(),
    "average": pl.col("price").mean(),
    "cheapest": pl.col("price").min(),
    "least": pl.col("pieces").min(),
    "most": pl.col("pieces").max(),
    "last_word": pl.col("note").max(),
    "all_paid": pl.col("paid").min(),
    "opened": pl.col("note").first(),
    "closed": pl.col("pieces").last(),
}
_ORDER = "at, _partition, _offset, _index"
SQL_VALUES = f"""
    count(*), count(pieces), coalesce(sum(pieces::numeric), 0), coalesce(sum(round(price::numeric, 9)), 0.000000000),
    (sum(round(price::numeric, 9)) / nullif(count(price), 0))::double precision, min(price + 0.0), min(pieces),
    max(pieces), max(note), bool_and(paid), (array_agg(note ORDER BY {_ORDER}))[1],
    (array_agg(pieces ORDER BY {_ORDER.replace(",", " DESC,")} DESC))[1]
"""
COLUMNS = f"shop, till, window_start, window_end, {', '.join(VALUES)}"
EPOCH = "timestamptz '1970-01-01 00:00+00'"
any_cut = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as made:
        yield made


def spans(every: timedelta, size: timedelta | None = None) -> Spans:
    keys = ("shop", "till")
    window = (
        Tumbling(name="tills", every=every, keys=keys, values=VALUES)
        if size is None
        else Hopping(name="tills", every=every, size=size, keys=keys, values=VALUES)
    )
    return Spans("sales", "at", window, SCHEMA)


def sessions(gap: timedelta) -> Sessions:
    window = Session(name="tills", gap=gap, keys=("shop", "till"), values=VALUES)
    return Sessions("sales", "at", "update", window, SCHEMA)


def prepared(connection: psycopg.Connection, operator: Spans | Sessions) -> None:
    connection.execute("DROP TABLE IF EXISTS windows.tills, pg_temp.windows_tills, pg_temp.sessions_tills")
    operator.prepare(connection)


def in_sql(connection: psycopg.Connection, every: timedelta, size: timedelta) -> list[tuple[object, ...]]:
    """Each event with each span that holds it, grouped."""
    query = f"""
        SELECT shop, till, s, s + interval '{size}', {SQL_VALUES} FROM events,
            LATERAL (SELECT {EPOCH} + number * interval '{every}' AS s FROM generate_series(
                floor(extract(epoch FROM at - interval '{size}') / extract(epoch FROM interval '{every}'))::bigint,
                ceil(extract(epoch FROM at) / extract(epoch FROM interval '{every}'))::bigint) number) spans
        WHERE s <= at AND at < s + interval '{size}' GROUP BY shop, till, s
    """
    return list(rows_of(connection, query))


def sessions_in_sql(connection: psycopg.Connection, gap: timedelta) -> list[tuple[object, ...]]:
    """Gaps and islands."""
    query = f"""
        SELECT shop, till, min(at), max(at) + interval '{gap}', {SQL_VALUES} FROM (
            SELECT *, sum(begins) OVER (PARTITION BY shop, till ORDER BY {_ORDER}) AS island FROM (
                SELECT *, CASE WHEN at - lag(at) OVER (PARTITION BY shop, till ORDER BY {_ORDER})
                    < interval '{gap}' THEN 0 ELSE 1 END AS begins FROM events) marked) numbered
        GROUP BY shop, till, island
    """
    return list(rows_of(connection, query))


def made(connection: psycopg.Connection) -> list[tuple[object, ...]]:
    return list(rows_of(connection, f"SELECT {COLUMNS} FROM windows.tills"))


@any_cut
@given(batches=histories(), every=st.sampled_from((1, 7, 15, 60)))
def test_tumbling_windows_are_those_of_plain_sql(
    connection: psycopg.Connection, batches: list[pl.DataFrame], every: int
) -> None:
    operator = spans(every * _MINUTE)
    prepared(connection, operator)
    applied(connection, operator, batches)
    as_table(connection, batches)
    assert made(connection) == in_sql(connection, every * _MINUTE, every * _MINUTE)


@any_cut
@given(batches=histories(), shape=st.sampled_from(((5, 15), (15, 15), (10, 25), (7, 60), (20, 15))))
def test_hopping_windows_are_those_of_plain_sql_also_where_every_does_not_divide_size(
    connection: psycopg.Connection, batches: list[pl.DataFrame], shape: tuple[int, int]
) -> None:
    every, size = (minutes * _MINUTE for minutes in shape)
    operator = spans(every, size)
    prepared(connection, operator)
    applied(connection, operator, batches)
    as_table(connection, batches)
    assert made(connection) == in_sql(connection, every, size)


@any_cut
@given(batches=histories(), gap=st.sampled_from((1, 5, 30)))
def test_sessions_are_the_islands_of_plain_sql(
    connection: psycopg.Connection, batches: list[pl.DataFrame], gap: int
) -> None:
    operator = sessions(gap * _MINUTE)
    prepared(connection, operator)
    applied(connection, operator, batches)
    as_table(connection, batches)
    assert made(connection) == sessions_in_sql(connection, gap * _MINUTE)


def test_an_event_on_a_boundary_is_in_the_span_that_begins_there(connection: psycopg.Connection) -> None:
    operator = spans(timedelta(hours=1))
    operator.prepare(connection)
    times = [
        at("1969-12-31 23:59:59.999999"),
        at("1970-01-01"),
        at("1970-01-01 00:59:59.999999"),
        at("1970-01-01 01:00"),
    ]
    applied(connection, operator, [frame([event(one)]) for one in times])
    found = rows_of(connection, "SELECT window_start, events FROM windows.tills")
    assert list(found) == [(at("1969-12-31 23:00"), 1), (at("1970-01-01"), 2), (at("1970-01-01 01:00"), 1)]


def test_an_event_between_two_sessions_joins_them_and_one_a_whole_gap_later_begins_another(
    connection: psycopg.Connection,
) -> None:
    operator = sessions(timedelta(minutes=10))
    operator.prepare(connection)
    shop = {"shop": "a", "till": None}
    times = ["2024-05-01 12:00", "2024-05-01 12:18", "2024-05-01 12:28"]
    applied(connection, operator, [frame([event(at(one), **shop)]) for one in times])
    query = "SELECT window_start, window_end, events FROM windows.tills ORDER BY 1"
    assert connection.execute(query).fetchall() == [
        (at("2024-05-01 12:00"), at("2024-05-01 12:10"), 1),
        (at("2024-05-01 12:18"), at("2024-05-01 12:28"), 1),
        (at("2024-05-01 12:28"), at("2024-05-01 12:38"), 1),
    ]
    applied(connection, operator, [frame([event(at("2024-05-01 12:09"), **shop)])])
    assert connection.execute(query).fetchall() == [
        (at("2024-05-01 12:00"), at("2024-05-01 12:28"), 3),
        (at("2024-05-01 12:28"), at("2024-05-01 12:38"), 1),
    ]


def test_a_late_event_reopens_a_final_session_which_is_final_again_once_it_ends_before_the_watermark(
    connection: psycopg.Connection,
) -> None:
    operator = sessions(timedelta(minutes=10))
    operator.prepare(connection)
    query = "SELECT window_end, events, is_final FROM windows.tills"
    applied(connection, operator, [frame([event(at("2024-05-01 12:00"), shop="a")])], at("2024-05-01 12:10"))
    assert connection.execute(query).fetchall() == [(at("2024-05-01 12:10"), 1, True)]
    applied(connection, operator, [frame([event(at("2024-05-01 12:05"), shop="a")])], at("2024-05-01 12:12"))
    assert connection.execute(query).fetchall() == [(at("2024-05-01 12:15"), 2, False)]
    applied(connection, operator, [frame([])], at("2024-05-01 12:15"))
    assert connection.execute(query).fetchall() == [(at("2024-05-01 12:15"), 2, True)]


def test_a_window_is_final_from_the_watermark_at_its_end(connection: psycopg.Connection) -> None:
    operator = spans(timedelta(hours=1))
    operator.prepare(connection)
    applied(connection, operator, [frame([event(at("2024-05-01 12:30"))])], at("2024-05-01 12:59:59"))
    assert connection.execute("SELECT is_final FROM windows.tills").fetchall() == [(False,)]
    applied(connection, operator, [frame([])], at("2024-05-01 13:00"))
    assert connection.execute("SELECT is_final FROM windows.tills").fetchall() == [(True,)]


def test_what_is_no_number_is_not_added_and_is_no_least_value(connection: psycopg.Connection) -> None:
    operator = spans(timedelta(hours=1))
    operator.prepare(connection)
    prices = [float("nan"), float("inf"), 1e300, 2.5, -0.0]
    applied(connection, operator, [frame([event(at("2024-05-01"), price=one)]) for one in prices])
    found = connection.execute("SELECT turnover, average_count, cheapest::text FROM windows.tills").fetchone()
    assert found == (Decimal("2.5"), 2, "0")


def test_a_table_with_other_columns_is_refused_with_both_named(connection: psycopg.Connection) -> None:
    from lastmile.errors import UserError

    spans(timedelta(hours=1)).prepare(connection)
    other = Tumbling(name="tills", every=timedelta(hours=1), keys=("shop",), values={"events": pl.len()})
    with pytest.raises(UserError, match=r"till bigint.*is declared with.*replay"):
        Spans("sales", "at", other, SCHEMA).prepare(connection)


def test_two_processes_that_add_to_the_same_sessions_take_turns(
    database_url: str, connection: psycopg.Connection
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    operator = sessions(timedelta(minutes=10))
    operator.prepare(connection)
    start = at("2024-05-01 12:00")

    def add(first: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as own:
            operator.prepare(own)
            rows = [event(start + timedelta(minutes=9 * number), shop="a") for number in range(first, 60, 2)]
            applied(own, operator, [frame([row]) for row in rows])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, (0, 1)))
    assert connection.execute("SELECT window_start, events FROM windows.tills").fetchall() == [(start, 60)]
