"""A process that is forked is as one that was started, has the libraries from the start, and outlives its server."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from lastmile.orchestration.forks.client import ADDRESS, fork
from lastmile.orchestration.forks.owner import CAN_FORK, ForkServer

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="processes are forked on Linux only")

LIBRARIES = """
import fractions, lastmile.errors
"""
SAYS = """
import gc, json, os, sys
json.dump({
    "arguments": sys.argv[1:], "name": __name__, "known": "fractions" in sys.modules,
    "project": [name for name in sys.modules if name.startswith("lastmile")], "word": os.environ.get("WORD"),
    "input": sys.stdin.read(), "group": os.getpgid(0), "collects": gc.isenabled(),
    "command": open("/proc/self/comm").read().strip(),
}, sys.stdout)
"""
WAITS = "import time; time.sleep(60)"
FAILS = "raise SystemExit(3)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, code in (("libraries", LIBRARIES), ("says", SAYS), ("waits", WAITS), ("fails", FAILS)):
        (tmp_path / f"of_test_{name}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


@pytest.fixture
def server(folder):
    one = ForkServer("of_test_libraries", os.environ, folder / "server.log", is_apart=False)
    yield one
    one.stop()


@pytest.fixture
def forked(server, folder):
    """Fork a module, with what it prints in a file; whatever still runs at the end is killed."""
    started = []

    def run(module, *arguments, is_leader=True, **variables):
        environment = {**os.environ, **server.variables, **variables}
        with (folder / "said").open("wb") as said:
            started.append(fork("one", f"of_test_{module}", arguments, environment, said.fileno(), is_leader))
        return started[-1]

    yield run
    for one in started:
        one.kill()


def await_end(process, seconds=30):
    deadline = time.monotonic() + seconds
    while process.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_has_its_own_arguments_and_variables_and_the_libraries_but_nothing_of_the_project(forked, folder):
    one = forked("says", "a", "b c", WORD="said")
    assert one.wait() == 0
    assert json.loads((folder / "said").read_text()) == {
        "arguments": ["a", "b c"], "name": "__main__", "known": True, "project": [], "word": "said", "input": "",
        "group": one.pid, "collects": True, "command": "one",
    }  # fmt: skip


def test_it_is_of_the_code_as_it_is_when_it_is_forked(forked, folder):
    assert forked("fails").wait() == 3
    (folder / "of_test_fails.py").write_text("raise SystemExit(4)  # since")
    assert forked("fails").wait() == 4


def test_its_end_is_told_however_it_came(forked):
    assert forked("fails").wait() == 3
    killed = forked("waits")
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    ended = forked("waits")
    ended.terminate()
    assert ended.wait() == -signal.SIGTERM
    assert ended.poll()


def test_one_that_leads_no_group_is_in_that_of_its_requester(forked, folder):
    forked("says", is_leader=False).wait()
    assert json.loads((folder / "said").read_text())["group"] == os.getpgid(0)


def test_it_goes_on_when_its_server_is_killed_and_its_end_is_noticed_all_the_same(forked, server):
    one = forked("waits")
    os.kill(server.pid, signal.SIGKILL)
    time.sleep(0.5)
    assert one.process.is_alive()
    one.kill()
    assert one.wait() is None
    assert not server.is_alive()
    with pytest.raises(OSError, match=r"refused|ended"):
        forked("says")


def test_where_there_is_no_server_the_caller_is_told():
    with pytest.raises(FileNotFoundError):
        fork("one", "this", [], {}, 1, is_leader=True)


def test_a_server_whose_libraries_cannot_be_imported_forks_nothing(folder):
    one = ForkServer("of_test_fails", os.environ, folder / "server.log", is_apart=False)
    with pytest.raises(OSError, match=r"ended|reset"):
        fork("one", "this", [], one.variables, 1, is_leader=True)
    one.stop()


def test_a_server_ends_with_the_process_that_started_it_and_what_it_forked_goes_on(folder):
    code = (
        "import os, sys\n"
        "from lastmile.orchestration.forks.client import fork\n"
        "from lastmile.orchestration.forks.owner import ForkServer\n"
        "server = ForkServer('of_test_libraries', os.environ, None, is_apart=True)\n"
        "one = fork('one', 'of_test_waits', [], {**os.environ, **server.variables}, 1, is_leader=True)\n"
        "print(server.pid, one.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    server, one = map(psutil.Process, map(int, owner.stdout.readline().split()))
    assert owner.wait(30) == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert one.is_running()
    one.kill()
    owner.stdout.close()


def test_a_server_is_forked_from_another_where_that_is_known(server, folder, forked):
    inner = ForkServer("of_test_libraries", {**os.environ, **server.variables}, None, is_apart=False)
    assert psutil.Process(inner.pid).ppid() == server.pid
    environment = {**os.environ, **inner.variables}
    with (folder / "inner").open("wb") as said:
        one = fork("one", "of_test_says", ["x"], environment, said.fileno(), is_leader=True)
    assert one.wait() == 0
    assert json.loads((folder / "inner").read_text())["known"]
    inner.stop()
    assert not psutil.pid_exists(inner.pid)


def test_of_a_process_of_another_session_none_is_forked_into_its_group(server):
    code = (
        "import os, sys\n"
        "from lastmile.orchestration.forks.client import fork\n"
        "try:\n    fork('one', 'this', [], os.environ, 1, is_leader=False)\n"
        "except OSError as error:\n    print(error)"
    )
    environment = {**os.environ, **server.variables}
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, start_new_session=True
    )
    assert "its own session" in said.stdout, said.stderr


def test_the_platforms_libraries_can_be_forked(tmp_path):
    one = ForkServer("lastmile.orchestration.forks.libraries", os.environ, tmp_path / "log", is_apart=False)
    with (tmp_path / "said").open("wb") as said:
        forked = fork("one", "this", [], {**os.environ, **one.variables}, said.fileno(), is_leader=True)
    assert forked.wait() == 0
    assert "The Zen of Python" in (tmp_path / "said").read_text()
    one.stop()


def test_its_address_is_a_variable_of_the_platforms_processes(server):
    assert [*server.variables] == [ADDRESS]
