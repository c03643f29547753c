"""How far behind a source is while nothing reads it: known within a minute, and never waited for."""

import socket
import time

import dagster as dg
import pytest
from followed import VARIABLE, Shop, source
from psycopg.conninfo import make_conninfo

from lastmile.orchestration.resources import Platform
from lastmile.orchestration.scheduled.followed import followed_sensors
from lastmile.sources import watched
from lastmile.sources.changes import positions
from lastmile.sources.changes.lagging import look

SOURCES = {"stock": source()}


def unread(shop: Shop) -> None:
    """Followed, an hour ago, and changed since."""
    shop.follow()
    shop.here.execute(
        "UPDATE sources.changes SET seen_at = seen_at - interval '1 hour', behind_since = NULL, problem = 'away'"
    )
    shop.does("UPDATE stock SET name = repeat(md5(name), 1000)")


def kept(shop: Shop) -> tuple[float, float]:
    (row,) = watched.slots(shop.here)
    return row["bytes"], row["seen_seconds"]


def test_what_the_database_keeps_is_asked_of_it_and_nothing_else_is_said(shop: Shop) -> None:
    unread(shop)
    assert kept(shop) == (0, pytest.approx(3600, abs=30))
    assert look(shop.here, SOURCES) == []
    size, seconds = kept(shop)
    assert (size > 1_000, seconds < 30) == (True, True)
    lag = positions.lags(shop.here)["stock"]
    assert (lag.bytes, lag.problem) == (size, "away")
    assert shop.here.execute("SELECT seen_at < now() - interval '50 minutes' FROM sources.changes").fetchone() == (
        True,
    )


def test_one_that_was_seen_lately_is_not_asked_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.follow()
    monkeypatch.delenv(VARIABLE)
    assert look(shop.here, SOURCES) == []
    unread_before = "UPDATE sources.changes SET seen_at = now() - interval '1 hour'"
    shop.here.execute(unread_before)
    (said,) = look(shop.here, SOURCES)
    assert f"{VARIABLE} is not set" in said


def test_a_slot_that_is_gone_keeps_nothing(shop: Shop) -> None:
    unread(shop)
    shop.there.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    (said,) = look(shop.here, SOURCES)
    assert "has no slot lastmile_stock_" in said
    assert kept(shop)[0] == 0


def test_a_database_that_does_not_answer_is_not_waited_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    unread(shop)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(VARIABLE, make_conninfo(host="127.0.0.1", port=silent.getsockname()[1], dbname="shop"))
        begun = time.monotonic()
        (said,) = look(shop.here, SOURCES)
    assert time.monotonic() - begun < 12
    assert "timeout" in said
    assert kept(shop)[0] == 0


def test_a_sensor_asks_where_there_is_something_to_follow(
    shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert followed_sensors({}) == []
    (sensor,) = followed_sensors(SOURCES)
    assert (sensor.name, sensor.minimum_interval_seconds) == ("followed_databases", 60)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    unread(shop)
    monkeypatch.setenv("LASTMILE_DATABASE_URL", database_url)
    with dg.build_sensor_context(resources={"platform": Platform()}) as context:
        skipped = sensor(context)
    assert skipped.skip_message == "how far behind all are is known"
    assert kept(shop)[0] > 1_000
