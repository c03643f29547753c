"""Partitions that are added to a topic while it is read are read as well, from their first message on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka.admin import NewPartitions
from kafka_broker import RunningBroker
from streamed import START, Shop, expected, sale

from lastmile.store import Store
from lastmile.streaming.consumer import group

#: Seconds after which a member sees that there are more partitions; the test does not wait for as long as is usual.
SEEN_AFTER = 2


@pytest.fixture
def shop(kafka: RunningBroker, database_url: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setitem(group._SETTINGS, "topic.metadata.refresh.interval.ms", SEEN_AFTER * 1_000)
    return Shop(kafka, database_url, store, partitions=2)


@contextmanager
def reading(shop: Shop, **changed: Any) -> Iterator[None]:
    running = shop.running(until_caught_up=False, **changed)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        yield
    finally:
        running.stop()
        thread.join()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def committed(shop: Shop) -> dict[int, int]:
    rows = shop.rows("SELECT partition, committed FROM streams.positions WHERE committed IS NOT NULL")
    return {row["partition"]: row["committed"] for row in rows}


def grow(shop: Shop, to: int) -> None:
    admin = shop.kafka.admin()  # its requests end with it
    admin.create_partitions([NewPartitions(shop.topic, to)])[shop.topic].result(30)


def counted(shop: Shop) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "is_final"} for row in shop.windows()]


def test_partitions_added_to_a_topic_that_is_read_are_read_from_their_first_message_on(shop: Shop) -> None:
    events = [sale(number, number / 10) for number in range(1_200)]
    with reading(shop):
        for partition in range(2):
            shop.send(*events[partition:400:2], partition=partition)
        until(lambda: committed(shop) == {0: 200, 1: 200})
        grow(shop, to=4)
        for partition in range(4):
            shop.send(*events[400 + partition : 800 : 4], partition=partition)
        until(lambda: committed(shop) == {0: 300, 1: 300, 2: 100, 3: 100})
        for partition in range(4):
            shop.send(*events[800 + partition :: 4], partition=partition)
        until(lambda: committed(shop) == {0: 400, 1: 400, 2: 200, 3: 200})
    assert counted(shop) == expected(events)
    assert shop.quarantined() == []


def test_what_comes_into_an_added_partition_before_it_is_read_is_not_late(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first process does not see by itself that there are more partitions; its commits do."""
    monkeypatch.setitem(group._SETTINGS, "topic.metadata.refresh.interval.ms", -1)
    events, lateness = [sale(number, number) for number in range(900)], timedelta(seconds=1)
    with reading(shop, lateness=lateness):
        shop.send(*events[:300:2], partition=0)
        shop.send(*events[1:300:2], partition=1)
        until(lambda: committed(shop) == {0: 150, 1: 150})
        grow(shop, to=3)
        for partition in (2, 0, 1):
            shop.send(*events[300 + partition :: 3], partition=partition)
        until(lambda: {0: 350, 1: 350}.items() <= committed(shop).items())
    shop.read(lateness=lateness)
    assert committed(shop) == {0: 350, 1: 350, 2: 200}
    assert shop.quarantined() == []
    assert counted(shop) == expected(events)


def test_the_watermark_stays_while_the_broker_does_not_say_which_partitions_there_are(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group.Group, "partitions", lambda _: None)
    for partition in range(2):
        shop.send(sale(1, 0), sale(1, 600), partition=partition)
    assert shop.read() == 4
    assert shop.rows("SELECT watermark FROM streams.watermarks") == []
    monkeypatch.undo()
    shop.send(sale(1, 600))
    shop.read()
    (found,) = shop.rows("SELECT watermark FROM streams.watermarks")
    assert found["watermark"] == START + timedelta(seconds=600) - shop.stream.lateness
