"""What has ended is counted once: seen twice, committed late, or looked for after a long time."""

import random

import pytest

from lastmile.operations.metrics import recent
from lastmile.operations.metrics.recent import Recent

NEW = "SELECT id FROM ended WHERE at > %(since)s AND id <> ALL(%(seen)s)"


@pytest.fixture
def clock(monkeypatch):
    """Seconds since the epoch, as this test has them."""
    now = [1_000_000.0]
    monkeypatch.setattr(recent.time, "time", lambda: now[0])
    return now


@pytest.fixture
def ended(connection):
    """Puts what has ended at a time."""
    connection.execute("CREATE TEMP TABLE ended (id bigint, at float8)")
    return lambda number, at: connection.execute("INSERT INTO ended VALUES (%s, %s)", [number, at])


def numbers(found):
    return [row["id"] for row in found]


def test_what_was_there_before_the_first_look_is_not_new(connection, clock, ended):
    watched = Recent(NEW)
    ended(1, clock[0] - 5)
    assert watched.new(connection) == []
    clock[0] += 5
    assert watched.new(connection) == []


def test_what_is_committed_late_is_new_though_a_higher_number_was_seen(connection, clock, ended):
    watched = Recent(NEW)
    watched.new(connection)
    ended(9, clock[0])
    clock[0] += 1
    assert numbers(watched.new(connection)) == [9]
    ended(4, clock[0] - 60)
    assert numbers(watched.new(connection)) == [4]


def test_nothing_is_lost_between_two_looks_that_are_hours_apart(connection, clock, ended):
    watched = Recent(NEW)
    watched.new(connection)
    for number in range(40):
        ended(number, clock[0] + 300 * number)
    clock[0] += 5 * 3600
    assert sorted(numbers(watched.new(connection))) == list(range(40))
    assert watched.new(connection) == []


@pytest.mark.parametrize("seed", range(20))
def test_each_is_counted_once_whenever_it_is_looked_for(connection, clock, ended, seed):
    chance, watched, counted = random.Random(seed), Recent(NEW), []
    watched.new(connection)
    for number in range(200):
        clock[0] += chance.choice([0, 1, 30, 400, 4000])
        ended(number, clock[0] - chance.uniform(0, 500))
        if chance.random() < 0.4:
            counted += numbers(watched.new(connection))
    counted += numbers(watched.new(connection))
    assert sorted(counted) == list(range(200))


def test_what_is_remembered_stays_small(connection, clock, ended):
    watched = Recent(NEW)
    for number in range(100):
        ended(number, clock[0])
        watched.new(connection)
        clock[0] += 60
    assert len(watched._seen) < 15
