"""Two streams are joined: each pair within the interval is found once, whichever event was committed first."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from window_events import SCHEMA, applied, as_table, at, event, frame, histories

from lastmile.streaming import Within
from lastmile.streaming.joins.pairs import Pairs, PairSide

JOIN = Within(
    name="sold_after_a_visit",
    stream="visits",
    keys=("shop", "till"),
    before=timedelta(minutes=30),
    after=timedelta(minutes=5),
    columns=("pieces",),
    other_columns={"visitor": "note"},
)
PAIRS = Pairs(JOIN, SCHEMA, SCHEMA)
COLUMNS = (
    "shop, till, event_time, other_time, event_partition, event_offset, other_partition, other_offset, pieces, visitor"
)
IN_SQL = """
    SELECT e.shop, e.till, e.at, o.at, e._partition, e._offset, o._partition, o._offset, e.pieces, o.note
    FROM ours e JOIN theirs o ON e.shop = o.shop AND e.till = o.till
        AND o.at BETWEEN e.at - interval '30 minutes' AND e.at + interval '5 minutes'
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as made:
        for side in sides():
            side.prepare(made)
        yield made


def sides() -> tuple[PairSide, PairSide]:
    return PairSide(PAIRS, "ours", "sales", "at"), PairSide(PAIRS, "theirs", "sales", "at")


def watermark(connection: psycopg.Connection, side: PairSide, when: datetime) -> None:
    with connection.transaction():
        side.apply(connection, side.reduce(frame([])), when)


def oldest_to_come(batches: list[pl.DataFrame], number: int) -> datetime | None:
    """The time of the oldest event that is not committed yet: no watermark is ever later."""
    rest = [batch["at"].min() for batch in batches[number:] if batch.height]
    return min(rest, default=None)  # type: ignore[type-var]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ours=histories(), theirs=histories(), order=st.lists(st.booleans(), max_size=16))
def test_pairs_are_those_of_plain_sql_in_any_order_of_the_two_streams(
    connection: psycopg.Connection, ours: list[pl.DataFrame], theirs: list[pl.DataFrame], order: list[bool]
) -> None:
    connection.execute(
        "TRUNCATE windows.sold_after_a_visit, joins.sold_after_a_visit_ours, joins.sold_after_a_visit_theirs"
    )
    queues, done, (left, right) = (ours, theirs), [0, 0], sides()
    for is_other in [*order, *[False] * len(ours), *[True] * len(theirs)]:
        batches, number, side = queues[is_other], done[is_other], (left, right)[is_other]
        if number < len(batches):
            applied(connection, side, [batches[number]], oldest_to_come(batches, number))
            done[is_other] += 1
    for name, batches in (("ours", ours), ("theirs", theirs)):
        as_table(connection, batches)
        connection.execute(f"DROP TABLE IF EXISTS pg_temp.{name}".encode())
        connection.execute(f"ALTER TABLE events RENAME TO {name}".encode())
    found = connection.execute(f"SELECT {COLUMNS} FROM windows.sold_after_a_visit".encode()).fetchall()
    assert sorted(found, key=repr) == sorted(connection.execute(IN_SQL.encode()).fetchall(), key=repr)


def test_events_wait_only_until_no_partner_can_come(connection: psycopg.Connection) -> None:
    left, right = sides()
    applied(connection, left, [frame([event(at("2024-05-01 12:00"), shop="a", till=1)])])
    applied(connection, right, [frame([event(at("2024-05-01 12:00"), shop="b", till=1)])])
    waiting = (
        "SELECT (SELECT count(*) FROM joins.sold_after_a_visit_{}), (SELECT count(*) FROM joins.sold_after_a_visit_{})"
    )
    count = waiting.format("ours", "theirs").encode()
    watermark(connection, right, at("2024-05-01 12:05"))
    watermark(connection, left, at("2024-05-01 12:30"))
    assert connection.execute(count).fetchone() == (1, 1)
    watermark(connection, right, at("2024-05-01 12:05:00.000001"))
    watermark(connection, left, at("2024-05-01 12:30:00.000001"))
    assert connection.execute(count).fetchone() == (0, 0)


def test_of_two_events_committed_at_the_same_time_the_second_finds_the_first(
    database_url: str, connection: psycopg.Connection
) -> None:
    start = at("2024-05-01 12:00")

    def add(number: int) -> None:
        side = sides()[number]
        with psycopg.connect(database_url, autocommit=True) as own:
            side.prepare(own)
            rows = [event(start, shop="a", till=1, _offset=offset) for offset in range(15)]
            applied(own, side, [frame([row]) for row in rows])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, (0, 1)))
    assert connection.execute("SELECT count(*) FROM windows.sold_after_a_visit").fetchone() == (225,)
