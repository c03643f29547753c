"""Events of a topic become rows of windows, exactly once; what does not fit is left out and kept."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import polars as pl
import psycopg
import pytest
from databases import own_database
from declaring import changed
from kafka_broker import RunningBroker
from streamed import START, Shop, expected, message, sale

from lastmile.errors import UserError
from lastmile.store import Store
from lastmile.streaming import Tumbling
from lastmile.streaming.consumer import group, positions
from lastmile.streaming.consumer.group import Group
from lastmile.streaming.status import statuses


def without_final(rows: list[dict]) -> list[dict]:
    return [{name: value for name, value in row.items() if name != "is_final"} for row in rows]


def test_events_are_counted_in_the_windows_they_belong_to(shops: Shop) -> None:
    events = [sale(number, number) for number in range(2_000)]
    for partition in range(4):
        shops.send(*events[partition::4], partition=partition)
    assert shops.read() == 2_000
    assert without_final(shops.windows()) == expected(events)


def test_a_second_process_goes_on_where_the_first_one_ended(shop: Shop) -> None:
    shop.send(*(sale(number, number) for number in range(100)))
    assert shop.read() == 100
    assert shop.read() == 0
    shop.send(*(sale(number, number) for number in range(100, 150)))
    assert shop.read() == 50
    assert without_final(shop.windows()) == expected([sale(number, number) for number in range(150)])


def test_windows_are_final_once_the_slowest_partition_has_passed_them(shops: Shop) -> None:
    for partition, seconds in enumerate((600, 600, 600, 200)):
        shops.send(sale(1, 0), sale(3, seconds), partition=partition)
    shops.read()
    final = {row["window_start"]: row["is_final"] for row in shops.windows()}
    assert final == {
        START: True,
        START + timedelta(seconds=180): False,
        START + timedelta(seconds=600): False,
    }
    (found,) = statuses(psycopg.connect(shops.database_url))
    assert found.watermark == START + timedelta(seconds=200) - shops.stream.lateness


def test_an_idle_partition_does_not_hold_the_watermark(shops: Shop) -> None:
    for partition, seconds in enumerate((600, 600, 600, 0)):
        shops.send(sale(1, seconds), partition=partition)
    running = shops.running(until_caught_up=False, idle_after=timedelta(seconds=1.5))
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not any(row["is_final"] for row in _windows(shops)):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        running.stop()
        thread.join()
    assert [row["is_final"] for row in shops.windows()] == [True, False]


def test_what_is_no_event_goes_to_quarantine_and_the_stream_goes_on(shop: Shop) -> None:
    bad = [b"\xff\xfe", b"{", b"[]", None, b"", sale(1, cents=-1), sale(2, shop="east"), b"x" * 900_000]
    shop.send(sale(0), *bad, sale(9))
    assert shop.read() == 2
    found = shop.quarantined()
    assert [row["offset"] for row in found] == list(range(1, 9))
    assert [row["rule"] for row in found] == ["message"] * 5 + ["at_least", "allowed", "message"]
    assert all((row["topic"], row["partition"], row["stream"]) == (shop.topic, 0, "sales") for row in found)
    assert bytes(found[0]["raw"]) == b"\xff\xfe"
    assert found[3]["raw"] is None
    assert found[7]["bytes"] == 900_000
    assert "at least 0" in found[5]["reasons"][0]["message"] or found[5]["reasons"][0]["column"] == "cents"


def test_a_message_of_megabytes_is_read_or_left_out_as_any_other(shop: Shop) -> None:
    shop.topic = shop.kafka.new_topic(max_message_bytes=20_000_000)
    shop.stream = replace(shop.stream, topic=shop.topic)
    long, longer = sale(1, note="x" * 1_500_000), sale(2, note="x" * 5_000_000)
    with shop.kafka.producer(message_max_bytes=20_000_000) as producer:
        for event in (sale(0), long, longer, b"y" * 5_000_000, sale(3, note="z" * 900_000)):
            producer.produce(shop.topic, message(event), partition=0)
    assert shop.read() == 2
    assert [(row["rule"], row["offset"], len(row["raw"])) for row in shop.quarantined()] == [
        ("size", 1, 2**20),
        ("message", 2, 2**20),
        ("message", 3, 2**20),
    ]
    assert [row["bytes"] > 1_500_000 for row in shop.quarantined()] == [True] * 3


def test_two_installations_read_all_of_a_topic_each(shop: Shop, postgres: str, template: str) -> None:
    shop.send(*(sale(number, number) for number in range(20)))
    with own_database(postgres, template) as url:
        other = replace(shop, database_url=url)
        other.topic, other.stream = shop.topic, shop.stream
        reading = [one.running(until_caught_up=True) for one in (shop, other)]
        threads = [threading.Thread(target=one.run) for one in reading]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [one.events for one in reading] == [20, 20]


def test_a_topic_that_is_not_there_is_said(shop: Shop) -> None:
    shop.stream = replace(shop.stream, topic="no-such-topic")
    with pytest.raises(UserError, match="the broker has no topic 'no-such-topic'"):
        shop.read()


def test_a_broker_that_is_away_is_said_and_waited_for(
    killable_kafka: RunningBroker, database_url: str, store: Store
) -> None:
    shop = Shop(killable_kafka, database_url, store)
    shop.send(sale(0))
    killable_kafka.kill()
    running = shop.running(until_caught_up=True)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        _until(
            lambda: "broker: " in str([row["problem"] for row in shop.rows("SELECT problem FROM streams.consumers")])
        )
    finally:
        killable_kafka.start()
        thread.join(60)
    assert running.events == 1


def test_where_a_partition_ends_is_recorded_as_soon_as_that_is_known(
    shops: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a second after the first commit, when all may be read."""
    ends, given = Group.ends, []

    def late(group: Group) -> dict[int, int]:
        given.append(ends(group))
        return given[-1] if len(given) > 1 else {}

    monkeypatch.setattr(Group, "ends", late)
    monkeypatch.setattr(group, "MOST_MESSAGES", 1)
    shops.send(*(sale(number) for number in range(3)), partition=0)
    shops.read()
    (found,) = shops.rows("SELECT end_offset FROM streams.positions WHERE partition = 0")
    assert found == {"end_offset": 3}


def test_a_fault_while_partitions_are_claimed_is_raised_as_it_is(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.send(sale(0))
    monkeypatch.setattr(positions, "claim", lambda: ())
    with pytest.raises(TypeError, match="positional arguments"):
        shop.read()


def test_an_event_older_than_the_lateness_goes_to_quarantine_with_it(shop: Shop) -> None:
    shop.send(sale(1, 0), sale(3, 100), sale(5, 40), sale(7, 39))
    assert shop.read() == 3
    (late,) = shop.quarantined()
    assert (late["rule"], late["offset"], late["lateness"]) == ("late", 3, timedelta(seconds=1))
    assert b'"sale":"s000007"' in bytes(late["raw"])


def test_a_late_event_updates_its_window_where_the_stream_says_so(shop: Shop) -> None:
    events = [sale(1, 0), sale(3, 500), sale(5, 10)]
    shop.send(*events)
    assert shop.read(late="update") == 3
    assert without_final(shop.windows()) == expected(events)
    (found,) = statuses(psycopg.connect(shop.database_url))
    assert (found.events, found.late) == (3, 1)


def test_a_clock_that_runs_ahead_does_not_make_other_events_late(shop: Shop) -> None:
    ahead = sale(1) | {"at": "2099-01-01T00:00:00Z"}
    shop.send(sale(0), ahead, sale(2, 1))
    assert shop.read() == 2
    assert [(row["rule"], row["offset"]) for row in shop.quarantined()] == [("ahead", 1)]


def test_steps_filter_and_add_columns(shop: Shop) -> None:
    dear = Tumbling(name="dear", every=timedelta(hours=1), keys=("is_round",), values={"euros": pl.col("euros").sum()})
    steps = (pl.col("cents") >= 500, {"euros": pl.col("cents") // 100, "is_round": pl.col("cents") % 100 == 0})
    shop.send(*(sale(number, cents=cents) for number, cents in enumerate((100, 500, 650, 700))))
    shop.read(windows=(dear,), steps=steps)
    found = shop.rows("SELECT is_round, euros FROM windows.dear ORDER BY 1")
    assert found == [{"is_round": False, "euros": 6}, {"is_round": True, "euros": 12}]


def test_a_key_of_the_contract_counts_once(shops: Shop) -> None:
    shops.contract = changed(shops.contract, key=("sale",))
    events = [sale(number, number) for number in range(100)]
    shops.send(*events, *events[:30], partition=0)
    shops.send(*events[50:], partition=1)
    assert shops.read(lateness=timedelta(hours=1)) == 100
    assert without_final(shops.windows()) == expected(events)
    shops.send(*events[90:], partition=2)
    assert shops.read(lateness=timedelta(hours=1)) == 0
    (found,) = statuses(psycopg.connect(shops.database_url))
    assert (found.events, found.duplicate) == (100, 90)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _windows(shop: Shop) -> list[dict]:
    try:
        return shop.windows()
    except psycopg.errors.UndefinedTable:
        return []
