"""Runs and fetches that go after a while: the cursor, what alerts go by and what is known by digests stay."""

from typing import Any

import pytest
from orders import Shop, moment

from lastmile.sources import watched
from lastmile.sources.cursors import standing
from lastmile.sources.retention import MARGIN, forget_fetches, forget_runs, old_fetches, old_runs
from lastmile.sources.runs import landed_times, newest

AGED = "now() - interval '200 days'"
BEFORE = "now() - interval '90 days'"


def before(shop: Shop) -> Any:
    ((moment_,),) = shop.connection.execute(f"SELECT {BEFORE}").fetchall()
    return moment_


def age(shop: Shop) -> None:
    """All that was done, two hundred days ago."""
    shop.connection.execute(f"UPDATE sources.runs SET started_at = {AGED}, ended_at = {AGED}")
    shop.connection.execute(f"UPDATE sources.fetches SET begun_at = {AGED}")


def ran(shop: Shop, source: str, *states: str) -> None:
    for state in states:
        shop.connection.execute(
            "INSERT INTO sources.runs (source, state, message) VALUES (%s, %s, %s)", [source, state, "away"]
        )


def known(shop: Shop) -> tuple[Any, ...]:
    """What is read of the history."""
    failing = [(row["source"], row["message"]) for row in watched.failing(shop.connection)]
    ages = {row["source"]: round(row["seconds"], -3) for row in watched.ages(shop.connection)}
    return newest(shop.connection), landed_times(shop.connection, "a"), failing, ages


def test_old_runs_go_and_what_is_read_of_the_history_is_the_same(shop: Shop) -> None:
    ran(shop, "a", "landed", "landed", "landed", *["nothing new"] * 30, *["failed"] * 30)
    ran(shop, "never landed", *["failed"] * 40)
    ran(shop, "at work", "running", *["landed"] * 30)
    age(shop)
    there = known(shop)
    old = old_runs(shop.connection, before(shop))
    assert forget_runs(shop.connection, before(shop)) == len(old) == (1 + 28 + 10) + (40 - MARGIN - 1) + (30 - MARGIN)
    assert known(shop) == there
    assert shop.query("SELECT count(*) AS n FROM sources.runs WHERE state = 'running'") == [{"n": 1}]
    assert forget_runs(shop.connection, before(shop)) == 0


def test_runs_that_are_not_old_stay(shop: Shop) -> None:
    ran(shop, "a", *["nothing new"] * 100)
    assert forget_runs(shop.connection, before(shop)) == 0


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly a margin, so that little has to be fetched."""
    monkeypatch.setattr("lastmile.sources.retention.MARGIN", 1)


def fetch_all(shop: Shop, amount: float) -> None:
    shop.records.clear()
    shop.add(1, 2, amount=amount)
    shop.fetch(incremental=None)


@pytest.mark.usefixtures("little")
def test_full_fetches_that_were_replaced_go_and_the_last_one_stays(shop: Shop) -> None:
    for amount in (1, 2, 3):
        fetch_all(shop, amount)
        shop.ingest()
    fetch_all(shop, 4)  # not loaded yet
    fetch_all(shop, 5)
    age(shop)
    assert len(old_fetches(shop.connection, before(shop))) == 2
    assert forget_fetches(shop.connection, before(shop)) == 2
    assert forget_fetches(shop.connection, before(shop)) == 0
    assert shop.ingest()[-1] == "loaded"
    assert [row["amount"] for row in shop.query("SELECT amount FROM raw.orders")] == [5, 5]
    age(shop)
    assert forget_fetches(shop.connection, before(shop)) == 2
    assert [row["records"] for row in shop.query("SELECT records FROM sources.fetches")] == [2]


@pytest.mark.usefixtures("little")
def test_the_cursor_and_what_came_before_are_known_as_they_were(shop: Shop) -> None:
    for minute in range(6):
        shop.add(minute * 60)
        shop.fetch()
        shop.ingest()
    shop.add(1_000)
    shop.fetch()  # it waits
    at = standing(shop.connection, shop.store.url, "shop")
    age(shop)
    assert forget_fetches(shop.connection, before(shop)) == 0
    found = standing(shop.connection, shop.store.url, "shop")
    assert (found.begin, found.reached, found.again and found.again.key) == (
        at.begin, at.reached, at.again and at.again.key,
    )  # fmt: skip
    shop.heeds = False
    shop.fetch(since=moment(0))
    shop.ingest()
    assert shop.rows() == shop.once()


@pytest.mark.usefixtures("little")
def test_a_fetch_that_was_replaced_before_it_was_loaded_goes(shop: Shop) -> None:
    shop.add(1)
    shop.fetch()
    shop.add(2)
    shop.fetch()
    shop.ingest()
    shop.add(100)
    shop.fetch()
    shop.ingest()
    age(shop)
    assert forget_fetches(shop.connection, before(shop)) == 1
    assert standing(shop.connection, shop.store.url, "shop").reached == moment(100)
    assert shop.fetch().state == "nothing new"
