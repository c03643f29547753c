"""Whatever dies while the platform is up is started again, said, and written down."""

import json
import os
import signal
import socket
import time

import psutil
import psycopg
import pytest

from lastmile.embedded import postgres
from lastmile.embedded import supervisor as supervising
from lastmile.embedded.processes import free_port
from lastmile.embedded.services import Service
from lastmile.embedded.supervisor import Database, Supervisor
from lastmile.errors import UserError
from lastmile.process import Process
from lastmile.settings import Settings

PARENT = """
import subprocess, sys, time
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "child"])
time.sleep(60)
"""


@pytest.fixture
def said():
    return []


@pytest.fixture
def supervisor(tmp_path, said, monkeypatch):
    monkeypatch.setattr(supervising, "FIRST_WAIT_SECONDS", 0.0)
    (tmp_path / "parent.py").write_text(PARENT)
    variables = os.environ | {"PYTHONPATH": str(tmp_path)}
    one = Supervisor(tmp_path / "logs", variables, tmp_path / "processes.json", said.append)
    yield one
    one.stop()


def written_down(tmp_path):
    return [Process(**entry) for entry in json.loads((tmp_path / "processes.json").read_text())]


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    psutil.Process(process.pid).wait(10)


def await_death(tmp_path):
    process = written_down(tmp_path)[-1]
    while process.is_alive():
        time.sleep(0.02)


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_killed_service_comes_back_where_the_others_look_for_it(supervisor, said, tmp_path):
    port = free_port()
    supervisor.start([Service("page", "http.server", ["--bind", "127.0.0.1", str(port)], port)])
    (first,) = written_down(tmp_path)
    supervisor.revive()
    assert said == []
    kill(first)
    supervisor.revive()
    deadline = time.monotonic() + 20
    while not answers(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert answers(port)
    assert said == [f"the page had ended and is started again; its log is {tmp_path / 'logs' / 'page.log'}"]
    (second,) = written_down(tmp_path)
    assert second.is_alive()
    assert second != first


def test_a_service_that_keeps_dying_is_given_up_with_its_log_named(supervisor, said, tmp_path):
    supervisor.start([Service("speaker", "this", [])])
    for _ in range(supervising.MOST_QUICK_DEATHS):
        await_death(tmp_path)
        supervisor.revive()
    await_death(tmp_path)
    with pytest.raises(UserError, match=r"the speaker has ended 6 times in a row.* in .*speaker\.log"):
        supervisor.revive()
    assert len(said) == supervising.MOST_QUICK_DEATHS


def test_a_service_that_lived_long_is_not_given_up(supervisor, said, tmp_path, monkeypatch):
    monkeypatch.setattr(supervising, "QUICK_SECONDS", 0.0)
    supervisor.start([Service("speaker", "this", [])])
    for _ in range(2 * supervising.MOST_QUICK_DEATHS):
        await_death(tmp_path)
        supervisor.revive()
    assert len(said) == 2 * supervising.MOST_QUICK_DEATHS


def test_each_quick_death_is_waited_for_longer(tmp_path, monkeypatch):
    deaths = supervising.Deaths("daemon", tmp_path)
    assert [deaths.note(1.0) for _ in range(5)] == [0, 1, 2, 4, 8]
    deaths.quick = 3
    assert deaths.note(supervising.QUICK_SECONDS + 1) == 0


@pytest.mark.parametrize("outlived", [True, False])
def test_only_what_the_daemon_started_outlives_it_and_only_until_the_end(supervisor, tmp_path, outlived):
    supervisor.start([Service("daemon", "parent", [], outlived=outlived)])
    (parent,) = written_down(tmp_path)
    while not (children := psutil.Process(parent.pid).children()):
        time.sleep(0.02)
    kill(parent)
    supervisor.revive()
    assert (parent in written_down(tmp_path)) is outlived
    assert (children[0].is_running() and children[0].status() != psutil.STATUS_ZOMBIE) is outlived
    supervisor.stop()
    children[0].wait(5)
    assert not (tmp_path / "processes.json").exists()


def test_a_killed_postgres_comes_back_where_it_was_with_what_was_committed(tmp_path, said):
    settings = Settings(tmp_path, None, "", "")
    with postgres.started(settings.postgres_folder) as url:
        database = Database(settings, url, said.append)
        database.revive()
        assert said == []
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1")
        for time_of_death, whom in enumerate((server_alone, server_and_children), start=1):
            victims = whom(settings)
            for process in victims:
                process.kill()
            psutil.wait_procs(victims, 10)
            database.revive()
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT * FROM kept").fetchone() == (1,)
            assert len(said) == time_of_death
            assert "server.log" in said[-1]


def server_alone(settings):
    pid_file = settings.postgres_folder / "data" / "postmaster.pid"
    return [psutil.Process(int(pid_file.read_text().split()[0]))]


def server_and_children(settings):
    (server,) = server_alone(settings)
    return [server, *server.children()]
