"""Several processes share the partitions of a stream; one that dies, is suspended or ends loses and doubles nothing."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from faults.streams.playing import Stage
from faults.workers import Workers
from kafka_broker import RunningBroker
from streamed import START, STREAM, expected, message, sale

from lastmile.store import Store
from lastmile.streaming.consumer.positions import Move, claim, move, see, watermark

PARTITIONS = 4


@pytest.fixture(scope="module")
def consumers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    workers = Workers(tmp_path_factory.mktemp("consumers") / "log", module="faults.streams.consumer")
    yield workers
    workers.close()


@pytest.fixture
def stage(kafka: RunningBroker, consumers: Workers, database_url: str, store: Store) -> Iterator[Stage]:
    stage = Stage(kafka, consumers, database_url, store, lambda: None)
    stage.topic = kafka.new_topic(PARTITIONS)
    yield stage
    consumers.kill_all()


def send(stage: Stage, first: int, last: int) -> None:
    for partition in range(PARTITIONS):
        events = [sale(number, number) for number in range(first, last) if number % PARTITIONS == partition]
        stage.kafka.send(stage.topic, map(message, events), partition)


def until(holds: Callable[[], bool], seconds: float = 30) -> float:
    """How many seconds it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


def committed(stage: Stage) -> int:
    return int(stage.rows("SELECT coalesce(sum(committed), 0) AS n FROM streams.positions")[0]["n"])


def readers(stage: Stage) -> list[list[int]]:
    """The partitions that each process has, as it says itself."""
    return [row["partitions"] for row in stage.rows("SELECT partitions FROM streams.consumers ORDER BY partitions")]


def test_two_processes_have_half_of_the_partitions_each(stage: Stage) -> None:
    for _ in range(2):
        stage.consumer(until_caught_up=False)
    until(lambda: sorted(map(len, readers(stage))) == [2, 2])
    send(stage, 0, 400)
    until(lambda: committed(stage) == 400)
    assert stage.windows() == expected([sale(number, number) for number in range(400)])
    assert len({row["consumer"] for row in stage.rows("SELECT consumer FROM streams.positions")}) == 2


def test_the_partitions_of_a_killed_process_move_within_seconds(stage: Stage) -> None:
    first, _ = (stage.consumer(until_caught_up=False) for _ in range(2))
    until(lambda: sorted(map(len, readers(stage))) == [2, 2])
    send(stage, 0, 200)
    until(lambda: committed(stage) == 200)
    stage.workers.kill(first)
    send(stage, 200, 400)
    assert until(lambda: committed(stage) == 400) < 10
    assert stage.windows() == expected([sale(number, number) for number in range(400)])


def test_a_process_that_wakes_up_after_it_was_given_up_commits_nothing(stage: Stage) -> None:
    send(stage, 0, 200)
    still = stage.consumer(["stop at", "after preparing", 1], until_caught_up=False)
    assert stage.workers.next_stopped([still]) == still
    other = stage.consumer()
    assert stage.workers.wait(other) == 0
    before = stage.rows("SELECT * FROM streams.positions ORDER BY partition")
    assert stage.windows() == expected([sale(number, number) for number in range(200)])
    stage.workers.let_on(still)
    until(lambda: "its batch is dropped" in stage.workers.words() or "reads partitions" in words_of(stage, 1))
    send(stage, 200, 220)
    until(lambda: committed(stage) == 220)
    assert stage.windows() == expected([sale(number, number) for number in range(220)])
    after = stage.rows("SELECT generation FROM streams.positions ORDER BY partition")
    assert all(new["generation"] > old["generation"] for new, old in zip(after, before, strict=True))


def words_of(stage: Stage, number: int) -> str:
    lines = [line for line in stage.workers.words().splitlines() if line.startswith(f"consumer {number} ")]
    return "\n".join(lines[1:])


def test_a_process_that_is_suspended_within_a_transaction_keeps_no_lock_and_commits_nothing_after(stage: Stage) -> None:
    send(stage, 0, 100)
    still = stage.consumer(["stop at", "after moving", 1], until_caught_up=False)
    assert stage.workers.next_stopped([still]) == still
    other = stage.consumer()
    assert stage.workers.wait(other, 30) == 0
    assert stage.windows() == expected([sale(number, number) for number in range(100)])
    stage.workers.let_on(still)
    until(lambda: "its batch is dropped" in stage.workers.words())
    send(stage, 100, 120)
    until(lambda: committed(stage) == 120)
    assert stage.windows() == expected([sale(number, number) for number in range(120)])


def test_a_process_that_is_to_end_commits_and_lands_what_it_has_read(stage: Stage) -> None:
    send(stage, 0, 200)
    reading = stage.consumer(until_caught_up=False)
    until(lambda: committed(stage) > 0)
    os.kill(reading, signal.SIGTERM)
    assert stage.workers.wait(reading) == 0
    (found,) = stage.rows("SELECT sum(committed) AS committed, sum(landed) AS landed FROM streams.positions")
    assert found["committed"] == found["landed"]
    assert stage.rows("SELECT * FROM streams.consumers") == []


def test_a_consumer_waits_while_postgres_is_away(stage: Stage) -> None:
    reading = stage.consumer(until_caught_up=False)
    until(lambda: readers(stage) != [])
    with psycopg.connect(stage.database_url, autocommit=True) as connection:
        for _ in range(3):
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            send(stage, 0, 40)
            time.sleep(0.3)
    until(lambda: committed(stage) == 120)
    assert not stage.workers.has_ended(reading)


def test_a_partition_that_no_process_has_yet_holds_back_the_watermark(stage: Stage) -> None:
    """One process reads two of the four partitions before another one claims the rest."""
    with psycopg.connect(stage.database_url) as connection:
        claimed = claim(connection, "sales", stage.topic, [0, 1], range(PARTITIONS), "first")
        moves = [Move(one.partition, one.generation, None, 1, START) for one in claimed]
        move(connection, "sales", stage.topic, moves)
        found = watermark(connection, "sales", stage.topic, STREAM.lateness, STREAM.idle_after)
    assert found is None


def test_a_partition_is_not_idle_because_none_was_read_for_long(stage: Stage) -> None:
    """All processes were down for an hour; one of them is back before the other."""
    with psycopg.connect(stage.database_url) as connection:

        def claimed(partitions: list[int], who: str) -> list[Move]:
            found = claim(connection, "sales", stage.topic, partitions, range(2), who)
            return [Move(one.partition, one.generation, one.committed, 1, START) for one in found]

        move(connection, "sales", stage.topic, claimed([0, 1], "before"))
        connection.execute("UPDATE streams.positions SET read_at = now() - interval '1 hour'")
        (later,) = claimed([0], "first")
        move(connection, "sales", stage.topic, [replace(later, after=2, event_time=START + timedelta(hours=1))])
        found = watermark(connection, "sales", stage.topic, STREAM.lateness, STREAM.idle_after)
    assert found == START - STREAM.lateness


def test_a_partition_with_messages_to_be_read_is_not_idle(stage: Stage) -> None:
    with psycopg.connect(stage.database_url) as connection:
        moves = [
            Move(one.partition, one.generation, None, 1, START + timedelta(hours=one.partition))
            for one in claim(connection, "sales", stage.topic, [0, 1], range(2), "first")
        ]
        move(connection, "sales", stage.topic, moves)
        see(connection, "sales", stage.topic, {0: 5, 1: 1}, [])
        connection.execute("UPDATE streams.positions SET read_at = now() - interval '1 hour' WHERE partition = 0")
        found = watermark(connection, "sales", stage.topic, STREAM.lateness, STREAM.idle_after)
        assert found == START - STREAM.lateness
        connection.execute("UPDATE streams.positions SET end_offset = 1")
        found = watermark(connection, "sales", stage.topic, STREAM.lateness, STREAM.idle_after)
    assert found == START + timedelta(hours=1) - STREAM.lateness
