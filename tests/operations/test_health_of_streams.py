"""Whether the processes of this machine that read streams live and get on, as the probes of a cluster see it."""

import socket
import time
from collections.abc import Iterator
from threading import Thread

import psycopg
import pytest
from kafka_broker import RunningBroker
from streamed import Shop, sale

from lastmile.embedded.processes import free_port
from lastmile.operations.health.finding import Finding
from lastmile.operations.health.health import health
from lastmile.settings import Settings
from lastmile.store import Store


@pytest.fixture
def shop(kafka: RunningBroker, database_url: str, store: Store) -> Shop:
    return Shop(kafka, database_url, store)


@pytest.fixture
def reading(shop: Shop) -> Iterator[Shop]:
    """A process reads the stream, here a thread."""
    shop.send(sale(1))
    running = shop.running(until_caught_up=False)
    thread = Thread(target=running.run)
    thread.start()
    deadline = time.monotonic() + 60
    while not shop.rows("SELECT FROM streams.consumers WHERE partitions <> '{}'"):
        assert time.monotonic() < deadline
    yield shop
    running.stop()
    thread.join(60)


def found(settings: Settings, url: str, live: bool = False) -> Finding:
    (one,) = health(settings, url, "streams", live)
    return one


def test_a_machine_that_reads_none_is_not_well_and_says_so_only_where_it_is_wanted(
    settings: Settings, shop: Shop
) -> None:
    one = found(settings, shop.database_url)
    assert (one.ok, "lastmile stream run" in one.found) == (False, True)
    assert "streams" not in {one.process for one in health(settings, shop.database_url, None, live=True)}


def test_a_process_that_reads_is_live_and_ready(settings: Settings, reading: Shop) -> None:
    for live in (True, False):
        assert found(settings, reading.database_url, live) == Finding("streams", True, "sales read")
    assert "streams" in {one.process for one in health(settings, reading.database_url, None, live=True)}


def test_a_process_that_waits_for_its_store_is_live_and_not_ready(settings: Settings, shop: Shop) -> None:
    with psycopg.connect(shop.database_url) as connection:
        connection.execute(
            "INSERT INTO streams.consumers (stream, consumer, host, pid, problem) VALUES ('sales', 'a', %s, 1, 'away')",
            [socket.gethostname()],
        )
    assert found(settings, shop.database_url, live=True).ok
    one = found(settings, shop.database_url)
    assert (one.ok, one.found) == (False, "waits, and goes on by itself: sales: away")


def test_a_process_without_a_sign_of_life_is_dead_though_others_live(settings: Settings, reading: Shop) -> None:
    with psycopg.connect(reading.database_url) as connection:
        connection.execute(
            "INSERT INTO streams.consumers (stream, consumer, host, pid, heartbeat_at)"
            " SELECT 'clicks', 'b', host, 1, now() - interval '5 minutes' FROM streams.consumers"
        )
    one = found(settings, reading.database_url, live=True)
    assert not one.ok
    assert "no sign of life of clicks for 30" in one.found


def test_where_the_database_is_away_no_process_is_started_anew(settings: Settings) -> None:
    away = f"postgresql://u@127.0.0.1:{free_port()}/d"
    assert found(settings, away, live=True).ok
    assert not found(settings, away).ok
