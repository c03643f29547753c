"""Processes of ours are told from strangers, and nothing of ours is left behind."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from lastmile.embedded.processes import remember, start, stop, stop_recorded
from lastmile.process import Process

SLEEP = "import time; time.sleep(60)"
PARENT = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); time.sleep(60)"


@pytest.fixture
def popen():
    """Start Python with a piece of code; whatever still runs at the end is killed."""
    started = []

    def run(code, **options):
        started.append(subprocess.Popen([sys.executable, "-c", code], **options))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def family(popen):
    """A leader of its own group and its child."""
    parent = popen(PARENT, start_new_session=True)
    leader = psutil.Process(parent.pid)
    while not leader.children():
        time.sleep(0.02)
    return Process.of("leader", parent.pid), leader.children()[0]


def test_a_killed_process_is_dead_before_anyone_has_reaped_it(popen):
    popened = popen(SLEEP)
    process = Process.of("sleeper", popened.pid)
    assert process.is_alive()
    popened.kill()
    psutil.Process(popened.pid).wait(10)
    assert not process.is_alive()


def test_a_clock_that_is_set_kills_nobody(monkeypatch):
    own = Process.of("own", os.getpid())
    boot = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot + 86_400)
    assert psutil.Process().create_time() > time.time() + 80_000
    assert own.is_alive()


def test_a_clock_that_is_corrected_while_it_is_read_kills_nobody(monkeypatch):
    own = Process.of("own", os.getpid())
    boots = itertools.cycle([psutil.boot_time(), psutil.boot_time() + 1])
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: next(boots))
    assert all(own.is_alive() for _ in range(3))


def test_a_stranger_with_the_same_number_is_left_alone(popen, tmp_path):
    stranger = popen(SLEEP, start_new_session=True)
    ours = Process("daemon", stranger.pid, Process.of("", stranger.pid).started - 60)
    assert not ours.is_alive()
    remember([ours], tmp_path / "processes.json")
    assert stop_recorded(tmp_path / "processes.json") == []
    assert stranger.poll() is None


def test_what_a_dead_process_had_started_is_ended_too(family, tmp_path):
    leader, child = family
    os.kill(leader.pid, signal.SIGKILL)
    os.waitpid(leader.pid, 0)
    remember([leader], tmp_path / "processes.json")
    assert stop_recorded(tmp_path / "processes.json") == [leader]
    child.wait(5)
    assert not (tmp_path / "processes.json").exists()


def test_stopping_ends_the_whole_group(family):
    leader, child = family
    stop([leader])
    child.wait(5)
    assert not leader.is_alive()


def test_what_a_dead_leader_had_started_has_the_grace_to_finish(popen, tmp_path):
    finished = tmp_path / "finished"
    worker = (
        "import signal, sys, time; from pathlib import Path\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), Path({str(finished)!r}).touch(), sys.exit()))\n"
        "print(flush=True); time.sleep(60)"
    )
    leader = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {worker!r}]); time.sleep(60)"
    started = popen(leader, start_new_session=True, stdout=subprocess.PIPE)
    started.stdout.readline()  # the worker's: it is there
    process = Process.of("leader", started.pid)
    stop([process])
    assert finished.exists()
    assert process.group() == []


def test_what_runs_is_written_down_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "processes.json"
    remember([Process("daemon", 1, 2.0)], file)
    monkeypatch.setattr(json, "dumps", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        remember([Process("daemon", 3, 4.0)], file)
    assert json.loads(file.read_text()) == [{"name": "daemon", "pid": 1, "started": 2.0}]


def test_what_a_process_says_is_in_its_log(tmp_path):
    process = start("speaker", "this", [], os.environ, tmp_path)
    psutil.Process(process.pid).wait(10)
    assert "The Zen of Python" in (tmp_path / "speaker.log").read_text()
