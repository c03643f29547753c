"""Windows made anew from landed events are those that the live stream made, while it goes on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from declaring import changed
from streamed import BY_MINUTE, SALES, SALES_BY_KEY, START, Shop, expected, sale

from lastmile.errors import UserError
from lastmile.streaming import Hopping, Session
from lastmile.streaming.consumer.running import Running
from lastmile.streaming.replay import replay as replaying
from lastmile.streaming.replay.landed import LandedEvents
from lastmile.streaming.replay.replay import replay
from lastmile.streaming.replay.under_way import Replayed

DAY = date(2026, 3, 1)
HOPPING = Hopping(
    name="sales_lately",
    every=timedelta(minutes=2),
    size=timedelta(minutes=5),
    keys=("shop",),
    values={
        "average": pl.col("cents").mean(),
        "first_sale": pl.col("sale").first(),
        "last_sale": pl.col("sale").last(),
    },
)
SESSIONS = Session(
    name="rushes", gap=timedelta(seconds=20), keys=("shop",), values={"sales": pl.len(), "cents": pl.col("cents").sum()}
)
COMMITTED = "SELECT (SELECT coalesce(sum(events), 0)::int FROM streams.positions)"
NAMES = ("sales_by_minute", "sales_lately", "rushes")


@pytest.fixture
def landing(shops: Shop) -> Shop:
    """A stream of four partitions whose events land, with a window of each kind."""
    shops.stream = replace(shops.stream, lands=True, windows=(BY_MINUTE, HOPPING, SESSIONS))
    shops.contract = changed(SALES_BY_KEY, quiet_period=timedelta(0))
    shops.landing_seconds = 1.0
    return shops


def again(shop: Shop, first: date = DAY, last: date = DAY, **changes: Any) -> dict[str, Replayed]:
    stream = replace(shop.stream, **changes)
    return {one.window: one for one in replay(shop.database_url, shop.store, stream, shop.contract, first, last)}


def tables(shop: Shop) -> dict[str, list[dict[str, Any]]]:
    """Every column of every window, as printed."""
    with psycopg.connect(shop.database_url) as connection:
        return {
            name: sorted(row for (row,) in connection.execute(f"SELECT w::text FROM windows.{name} w".encode()))
            for name in NAMES
        }


@contextmanager
def going_on(shop: Shop, **changes: Any) -> Iterator[Running]:
    running = shop.running(until_caught_up=False, **changes)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join()


def until(shop: Shop, query: str, value: object) -> None:
    deadline = time.monotonic() + 60
    while (found := next(iter(shop.rows(query)[0].values()))) != value:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def history(shop: Shop) -> None:
    """Three hours of sales with gaps, sent twice in part, some late, some bad, over four partitions."""
    events = [sale(number, number * 7 + 60 * (number // 40)) for number in range(1_200)]
    late = [sale(number, number % 1_000) for number in range(5_000, 5_040)]
    for partition in range(4):
        mine = events[partition::4]
        shop.send(*mine, *mine[-20:], *late[partition::4], b"{", sale(1, 10_000, cents=-1), partition=partition)


def test_windows_are_the_same_byte_for_byte(landing: Shop) -> None:
    history(landing)
    landing.read()
    before = tables(landing)
    found = again(landing)
    assert tables(landing) == before
    assert {name: one.rows_changed for name, one in found.items()} == dict.fromkeys(NAMES, 0)
    assert found["sales_by_minute"].rows_before == len(before["sales_by_minute"]) > 100
    assert any(row["rule"] == "late" for row in landing.quarantined())
    assert landing.rows("SELECT count(*) AS n FROM streams.replays WHERE problem IS NULL AND ended_at IS NOT NULL") == [
        {"n": 3}
    ]
    assert landing.rows("SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'replays'") == [{"n": 0}]


def test_rows_that_were_damaged_are_made_right(landing: Shop) -> None:
    history(landing)
    landing.read()
    before = tables(landing)
    with psycopg.connect(landing.database_url, autocommit=True) as connection:
        connection.execute("DELETE FROM windows.sales_by_minute WHERE shop = 'north'")
        connection.execute("UPDATE windows.rushes SET cents = 1 WHERE sales > 30")
        connection.execute(
            "INSERT INTO windows.sales_lately (shop, window_start) VALUES ('none', '2026-03-01 23:00+00')"
        )
    found = again(landing)
    assert tables(landing) == before
    assert found["sales_by_minute"].rows_changed > 50
    assert found["sales_lately"].rows_before == found["sales_lately"].rows_after + 1


def test_only_windows_that_begin_on_the_days_are_made_anew(landing: Shop) -> None:
    landing.send(*(sale(number, number * 3_600) for number in range(72)))
    landing.read(lateness=timedelta(days=9))
    with psycopg.connect(landing.database_url, autocommit=True) as connection:
        connection.execute("UPDATE windows.sales_by_minute SET sales = 99")
    assert again(landing, DAY + timedelta(days=1), DAY + timedelta(days=1))["sales_by_minute"].rows_changed == 24
    wrong = landing.rows(
        "SELECT DISTINCT window_start::date::text AS day FROM windows.sales_by_minute WHERE sales = 99"
    )
    assert sorted(row["day"] for row in wrong) == ["2026-03-01", "2026-03-03", "2026-03-04"]


def test_the_live_stream_goes_on_and_loses_and_doubles_nothing(landing: Shop) -> None:
    """Events come to the very windows that are replayed, before, while and after they are."""
    landing.contract, landing.landing_seconds = changed(SALES, quiet_period=timedelta(0)), 2.0
    events = [sale(number, number / 4) for number in range(3_600)]
    done = threading.Event()

    def send() -> None:
        for first in range(0, len(events), 100):
            landing.send(*events[first : first + 100], partition=first // 900 % 4)
            time.sleep(0.05)
        done.set()

    sending = threading.Thread(target=send)
    with going_on(landing, lateness=timedelta(days=1)):
        sending.start()
        until(landing, f"{COMMITTED} > 400", True)
        replays = 0
        while not done.is_set():
            again(landing, lateness=timedelta(days=1))
            replays += 1
        sending.join()
        until(landing, COMMITTED, len(events))
    assert replays >= 2
    assert [dict(row, is_final=None) for row in landing.windows()] == [
        dict(row, is_final=None) for row in expected(events)
    ]
    assert landing.rows("SELECT sum(sales)::int AS n, count(*) AS rushes FROM windows.rushes") == [
        {"n": 3_600, "rushes": 2}
    ]


def test_late_events_that_update_windows_do_so_in_those_that_are_replayed(landing: Shop) -> None:
    late = {"late": "update", "lateness": timedelta(0)}
    events = [sale(number, (number * 37) % 5_000) for number in range(1_000)]
    landing.send(*events[:500])
    with going_on(landing, **late):
        until(landing, COMMITTED, 500)
        landing.send(*events[500:], partition=1)
        again(landing, **late)
        until(landing, COMMITTED, 1_000)
    before = tables(landing)
    assert [dict(row, is_final=None) for row in landing.windows()] == [
        dict(row, is_final=None) for row in expected(events)
    ]
    again(landing, **late)
    assert tables(landing) == before


def test_a_changed_declaration_changes_the_windows_of_the_days(landing: Shop) -> None:
    landing.contract = changed(SALES, quiet_period=timedelta(0))
    events = [sale(number, number) for number in range(300)]
    landing.send(*events)
    landing.read()
    again(landing, steps=(pl.col("cents") >= 100,))
    found = [dict(row, is_final=None) for row in landing.windows()]
    assert found == [dict(row, is_final=None) for row in expected(events[100:])]


def test_a_replay_that_dies_leaves_everything_as_it_was(landing: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    history(landing)
    landing.read()
    before, read = tables(landing), LandedEvents.read

    def dying(self: LandedEvents, one: Any, *rest: Any) -> pl.DataFrame:
        if one.partition == 2:
            raise MemoryError("killed")
        return read(self, one, *rest)

    monkeypatch.setattr(replaying.LandedEvents, "read", dying)
    with pytest.raises(MemoryError):
        again(landing)
    assert tables(landing) == before
    assert {row["problem"] for row in landing.rows("SELECT problem FROM streams.replays")} == {"killed"}
    monkeypatch.setattr(replaying.LandedEvents, "read", read)
    assert again(landing)["rushes"].rows_changed == 0
    assert tables(landing) == before


def test_a_replay_that_was_killed_is_cleared_by_the_next(landing: Shop) -> None:
    history(landing)
    landing.read()
    before = tables(landing)
    with psycopg.connect(landing.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE replays.rushes (LIKE windows.rushes INCLUDING ALL)")
        connection.execute("INSERT INTO streams.replays (stream, window_name, cuts) VALUES ('sales', 'rushes', '{}')")
    landing.send(sale(9_001, 20_000))
    landing.read()
    assert landing.rows("SELECT sum(sales)::int AS n FROM replays.rushes") == [{"n": 1}]
    assert again(landing)["rushes"].rows_changed == 0
    assert len(tables(landing)["rushes"]) == len(before["rushes"]) + 1


def test_what_cannot_be_replayed_is_said(landing: Shop) -> None:
    landing.send(sale(1))
    landing.read()
    for key in [one.key for one in landing.store.list("landing/sales/")]:
        landing.store.delete(key)
    with pytest.raises(UserError, match="no landed events to make them from"):
        again(landing)
    with psycopg.connect(landing.database_url, autocommit=True) as connection:
        connection.execute("UPDATE streams.positions SET landed = 0")
    with pytest.raises(UserError, match="--until-caught-up"):
        again(landing)
    with pytest.raises(UserError, match="lands=True"):
        again(landing, lands=False)
    with pytest.raises(UserError, match="no window other; it has sales_by_minute, sales_lately, rushes"):
        replay(landing.database_url, landing.store, landing.stream, landing.contract, DAY, DAY, ["other"])
    assert START.date() == DAY
