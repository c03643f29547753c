"""The daemon's loops look at once when something happens, and seldom while nothing does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from lastmile.orchestration.runs import pace as paces
from lastmile.orchestration.runs.pace import AUTOMATION, BACKFILLS, SENSORS, Pace

#: Seconds within which a loop that is woken has looked, on a busy machine.
AT_ONCE = 3.0


@pytest.fixture
def idle() -> Pace:
    pace = Pace()
    pace.work(False)
    return pace


@contextmanager
def waiting(pace: Pace, loop: str, seconds: float = 1.0) -> Iterator[Callable[[float], float | None]]:
    """A loop that waits; called with a number of seconds: after how many it looked, None where it has not by then."""
    began, looked = time.monotonic(), []

    def wait() -> None:
        pace.wait(loop, seconds)
        looked.append(time.monotonic() - began)

    thread = Thread(target=wait, daemon=True)
    thread.start()

    def look(within: float) -> float | None:
        thread.join(within)
        return looked[0] if looked else None

    time.sleep(0.1)
    yield look
    pace.end()
    thread.join()


@pytest.mark.parametrize("loop", [SENSORS, AUTOMATION, BACKFILLS, "QUEUED_RUN_COORDINATOR"])
def test_an_idle_loop_does_not_look_until_it_is_woken(idle, loop):
    with waiting(idle, loop, 0.2) as look:
        assert look(1.5) is None
        idle.wake()
        assert look(AT_ONCE) is not None


def test_an_idle_loop_looks_once_a_minute_where_no_wake_comes(idle, monkeypatch):
    monkeypatch.setattr(paces, "IDLE_SECONDS", 0.6)
    with waiting(idle, SENSORS, 0.1) as look:
        assert look(AT_ONCE) >= 0.6


@pytest.mark.parametrize(("loop", "seconds"), [(SENSORS, 1.0), (AUTOMATION, 3.0)])
def test_after_a_wake_loops_look_every_second_or_few_for_a_while(idle, monkeypatch, loop, seconds):
    monkeypatch.setattr(paces, "QUICK_FOR_SECONDS", 2.0)
    idle.wake()
    with waiting(idle, loop, 30.0) as look:
        assert look(seconds + AT_ONCE) >= seconds
    idle = Pace()
    idle.work(False)
    idle.wake()
    time.sleep(2.0)
    with waiting(idle, loop, 0.2) as look:
        assert look(1.5) is None


def test_wakes_that_follow_each_other_closely_make_one_look_a_second(idle):
    idle.wake()
    with waiting(idle, SENSORS, 5.0) as look:
        for _ in range(5):
            idle.wake()
            assert look(0.05) is None
        assert look(AT_ONCE) >= 1.0


def test_a_drop_does_not_quicken_the_automation_which_has_nothing_to_look_at_yet(idle):
    idle.wake(SENSORS)
    with waiting(idle, AUTOMATION, 5.0) as look:
        assert look(1.5) is None


def test_the_automation_waits_until_the_run_of_a_drop_is_requested(idle, monkeypatch):
    monkeypatch.setattr(paces, "AFTER_A_DROP_SECONDS", 1.0)
    with waiting(idle, AUTOMATION, 5.0) as look:
        idle.wake(SENSORS)
        idle.wake()
        assert look(0.5) is None
        assert look(AT_ONCE) >= 1.0


def test_the_automation_does_not_wait_for_the_last_of_a_stream_of_drops(idle, monkeypatch):
    monkeypatch.setattr(paces, "AFTER_A_DROP_SECONDS", 1.0)
    with waiting(idle, AUTOMATION, 5.0) as look:
        for _ in range(20):
            idle.wake(SENSORS)
            if look(0.1) is not None:
                break
        assert look(0.0) < 1.0 + AT_ONCE


def test_sensors_look_every_few_seconds_where_nothing_says_that_a_drop_has_arrived(idle):
    with waiting(idle, SENSORS, 0.1) as look:
        idle.look_at_least(SENSORS, 0.3)
        assert look(AT_ONCE) is not None
    again = Pace()
    again.work(False)
    again.look_at_least(SENSORS, 0.3)
    with waiting(again, SENSORS, 0.1) as look:
        assert look(AT_ONCE) >= 0.3
    watched = Pace()
    watched.work(False)
    watched.look_at_least(SENSORS, 0.3)
    watched.look_at_least(SENSORS, None)
    with waiting(watched, SENSORS, 0.1) as look:
        assert look(1.0) is None


def test_while_a_run_is_under_way_the_queue_and_its_monitoring_keep_dagsters_pace(idle):
    with waiting(idle, "QUEUED_RUN_COORDINATOR", 0.5) as look:
        assert look(0.8) is None
        idle.work(True)
        assert look(AT_ONCE) is not None
    working = Pace()
    working.work(True)
    with waiting(working, "QUEUED_RUN_COORDINATOR", 0.5) as look:
        assert look(AT_ONCE) >= 0.5


def test_a_daemon_that_ends_keeps_nobody_waiting(idle):
    with waiting(idle, SENSORS, 60.0) as look:
        idle.end()
        assert look(AT_ONCE) is not None
