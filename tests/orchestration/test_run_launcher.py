"""A run ends when its worker does, whoever finds out, and a worker is never mistaken for another process."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from uuid import uuid4

import psutil
import pytest
import yaml
from checkout import PROJECT
from dagster import DagsterInstance, DagsterRunStatus
from dagster_private import (
    LaunchRunContext,
    ReconstructableJob,
    ReconstructableRepository,
    create_run_for_test,
    monitor_started_run,
)

from lastmile.orchestration.forks.owner import ForkServer
from lastmile.orchestration.runs import worker_processes
from lastmile.orchestration.runs.worker_processes import WorkerProcesses
from lastmile.orchestration.runs.workers import WORKER_TAG, end_all, end_lost, record_worker, worker_of

LAUNCHER = {"module": "lastmile.orchestration.runs.launcher", "class": "LocalRunLauncher"}
#: A server whose libraries cannot be imported.
BROKEN = ("no_such_library", os.environ, None, False)
linux = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
JOB = "@job(executor_def=in_process_executor)\ndef made():\n work()\n"
SLEEP = "import time; print(flush=True); time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
#: Whoever started the tests may have handed down that the signal is ignored.
HEARING = DEAF.replace("SIG_IGN", "SIG_DFL")


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    home = tmp_path_factory.mktemp("dagster")
    (home / "dagster.yaml").write_text(json.dumps({"run_launcher": LAUNCHER, "telemetry": {"enabled": False}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with DagsterInstance.get() as one:
            yield one


@pytest.fixture
def worker():
    """Start a process that stands for a worker; it is up when this returns."""
    started = []

    def run(code=SLEEP):
        started.append(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE))
        started[-1].stdout.readline()
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def working_run(instance, process, status=DagsterRunStatus.STARTED):
    run = create_run_for_test(instance, status=status)
    if process:
        record_worker(instance, run.run_id, process.pid)
    return run.run_id


def kill(process):
    process.kill()
    psutil.Process(process.pid).wait(10)


def wait_for_the_end(server):
    deadline = time.monotonic() + 30
    while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def monitor(instance, run_id):
    monitor_started_run(instance, None, instance.get_run_record_by_id(run_id), logging.getLogger())
    return instance.get_run_by_id(run_id).status


def status_in_the_end(instance, run_id, seconds=120):
    deadline = time.monotonic() + seconds
    while not instance.get_run_by_id(run_id).is_finished and time.monotonic() < deadline:
        time.sleep(0.05)
    return instance.get_run_by_id(run_id).status


def test_monitoring_leaves_a_run_alone_while_its_worker_lives_and_fails_it_when_that_died(instance, worker):
    process = worker()
    run_id = working_run(instance, process)
    assert monitor(instance, run_id) == DagsterRunStatus.STARTED
    kill(process)
    assert monitor(instance, run_id) == DagsterRunStatus.FAILURE


def test_a_process_that_got_the_number_of_the_worker_is_not_mistaken_for_it(instance, worker):
    process = worker()
    run_id = working_run(instance, process)
    recorded = json.loads(instance.get_run_by_id(run_id).tags[WORKER_TAG])
    instance.add_run_tags(run_id, {WORKER_TAG: json.dumps(recorded | {"started": recorded["started"] - 60})})
    assert monitor(instance, run_id) == DagsterRunStatus.FAILURE
    assert process.poll() is None


def test_a_run_without_a_worker_on_record_is_failed(instance):
    assert monitor(instance, working_run(instance, None)) == DagsterRunStatus.FAILURE


def test_a_retry_does_not_take_over_the_worker_of_the_run_before(instance, worker):
    first = instance.get_run_by_id(working_run(instance, worker()))
    retry = create_run_for_test(instance, tags=first.tags, parent_run_id=first.run_id, root_run_id=first.run_id)
    assert worker_of(first) is not None
    assert worker_of(retry) is None


def test_a_run_whose_worker_dies_before_it_begins_fails_at_once_and_says_how(instance):
    run = create_run_for_test(instance, status=DagsterRunStatus.STARTING)  # it does not say where its code is
    instance.run_launcher.launch_run(LaunchRunContext(run, None))
    assert status_in_the_end(instance, run.run_id) == DagsterRunStatus.FAILURE
    said = " ".join(event.message for event in instance.all_logs(run.run_id))
    assert "ended with exit code 1" in said


def test_a_worker_killed_while_it_comes_up_fails_its_run_at_once(instance):
    run = create_run_for_test(instance, status=DagsterRunStatus.STARTING)
    instance.run_launcher.launch_run(LaunchRunContext(run, None))
    psutil.Process(worker_of(instance.get_run_by_id(run.run_id)).pid).kill()
    assert status_in_the_end(instance, run.run_id, seconds=30) == DagsterRunStatus.FAILURE
    assert "was killed by SIGKILL" in " ".join(event.message for event in instance.all_logs(run.run_id))


def test_a_run_that_starts_or_is_canceled_ends_when_its_worker_dies_and_not_because_it_is_slow(instance, worker):
    slow, dead = worker(), worker()
    states = (DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING)
    waiting = [working_run(instance, slow, state) for state in states]
    lost = [working_run(instance, dead, state) for state in states]
    kill(dead)
    end_lost(instance)
    assert [instance.get_run_by_id(run_id).status for run_id in waiting] == list(states)
    ended = [instance.get_run_by_id(run_id).status for run_id in lost]
    assert ended == [DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


@pytest.fixture
def job(tmp_path):
    """Write the code of a job, as Python, and get a run of it that is about to start."""
    name = f"job_{uuid4().hex}"
    code = ReconstructableRepository.for_module(name, "made", str(tmp_path))
    origin = ReconstructableJob(code, "made").get_python_origin()

    def write(instance, body):
        (tmp_path / f"{name}.py").write_text(
            f"import time\nfrom dagster import job, op, in_process_executor\n@op\ndef work():\n {body}\n{JOB}"
        )
        return create_run_for_test(instance, "made", status=DagsterRunStatus.STARTING, job_code_origin=origin)

    return write


def launch(instance, run):
    """Launch it; the process of its worker."""
    instance.run_launcher.launch_run(LaunchRunContext(run, None))
    return psutil.Process(worker_of(instance.get_run_by_id(run.run_id)).pid)


def test_each_run_is_of_the_code_as_it_is_when_the_run_starts(instance, job, tmp_path):
    for word in ("first", "then"):
        run = job(instance, f"open({str(tmp_path / word)!r}, 'w')")
        launch(instance, run)
        assert status_in_the_end(instance, run.run_id) == DagsterRunStatus.SUCCESS
        assert (tmp_path / word).exists()


@linux
def test_workers_are_forked_from_one_process(instance, job):
    first, second = (launch(instance, job(instance, "time.sleep(60)")) for _ in range(2))
    assert first.parent() == second.parent() != psutil.Process()
    for process in (first, second):
        process.kill()


@linux
def test_where_the_fork_server_cannot_serve_a_worker_is_a_new_interpreter(instance, job, monkeypatch):
    tried = []
    monkeypatch.setattr(worker_processes, "ForkServer", lambda *_, **__: tried.append(1) or ForkServer(*BROKEN))
    monkeypatch.setattr(instance.run_launcher, "_processes", WorkerProcesses())
    runs = [job(instance, "pass") for _ in range(2)]
    for run in runs:
        assert launch(instance, run).parent() == psutil.Process()
    assert [status_in_the_end(instance, run.run_id) for run in runs] == [DagsterRunStatus.SUCCESS] * 2
    assert len(tried) == 1, "one that cannot serve is not tried again"


def test_on_macos_every_worker_is_a_new_interpreter(instance, job, monkeypatch):
    monkeypatch.setattr(worker_processes, "CAN_FORK", False)
    monkeypatch.setattr(instance.run_launcher, "_processes", WorkerProcesses())
    run = job(instance, "pass")
    assert launch(instance, run).parent() == psutil.Process()
    assert status_in_the_end(instance, run.run_id) == DagsterRunStatus.SUCCESS


@linux
def test_while_there_is_no_server_a_worker_is_forked_from_that_of_the_platform(instance, job, monkeypatch, tmp_path):
    platform = ForkServer("fractions", os.environ, tmp_path / "log", is_apart=False)
    monkeypatch.setenv(*next(iter(platform.variables.items())))
    processes = WorkerProcesses()
    monkeypatch.setattr(instance.run_launcher, "_processes", processes)
    first = job(instance, "pass")
    assert launch(instance, first).parent().pid == platform.pid
    assert status_in_the_end(instance, first.run_id) == DagsterRunStatus.SUCCESS
    deadline = time.monotonic() + 120
    while not (processes._server and processes._server.is_ready()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = launch(instance, job(instance, "time.sleep(60)"))
    assert second.parent().pid == processes._server.pid
    second.kill()
    platform.stop()


@linux
def test_a_library_that_has_started_threads_is_not_forked():
    code = (
        "import threading, time, pathlib\n"
        "thread = threading.Thread(target=time.sleep, args=(60,), daemon=True)\n"
        "thread.start()\n"
        "pathlib.Path(f'/proc/self/task/{thread.native_id}/comm').write_text('eager-library')\n"
        "import lastmile.orchestration.runs.preload"
    )
    refused = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert refused.returncode == 1
    assert "a library has started threads: eager-library" in refused.stderr


@linux
def test_a_fork_server_that_has_nothing_to_do_ends_and_the_next_run_gets_another(instance, job, monkeypatch):
    monkeypatch.setattr(worker_processes, "IDLE_SECONDS", 0.2)
    first = launch(instance, job(instance, "time.sleep(60)"))
    server = first.parent()
    first.kill()
    wait_for_the_end(server)
    second = launch(instance, job(instance, "time.sleep(60)"))
    assert second.parent() not in (server, psutil.Process())
    second.kill()


@linux
def test_when_the_fork_server_is_killed_its_worker_goes_on_and_the_next_run_gets_another(instance, job, tmp_path):
    go = tmp_path / "go"
    run = job(instance, f"while not __import__('os').path.exists({str(go)!r}): time.sleep(0.05)")
    worker = launch(instance, run)
    server = worker.parent()
    assert server != psutil.Process()
    server.kill()
    wait_for_the_end(server)
    time.sleep(0.5)
    assert not instance.get_run_by_id(run.run_id).is_finished
    other = job(instance, "time.sleep(60)")
    killed = launch(instance, other)
    assert killed.parent() not in (server, psutil.Process())
    killed.kill()
    assert status_in_the_end(instance, other.run_id, seconds=30) == DagsterRunStatus.FAILURE
    go.touch()
    assert status_in_the_end(instance, run.run_id) == DagsterRunStatus.SUCCESS


def test_cancelling_asks_the_worker_to_stop(instance, worker):
    process = worker(HEARING)
    run_id = working_run(instance, process)
    assert instance.run_launcher.terminate(run_id)
    assert process.wait(10) == -signal.SIGTERM
    assert instance.get_run_by_id(run_id).status == DagsterRunStatus.CANCELING


def test_a_worker_deaf_to_cancelling_is_killed_after_a_while(instance, worker, monkeypatch):
    monkeypatch.setenv("LASTMILE_GRACE_SECONDS", "1")
    process = worker(DEAF)
    assert instance.run_launcher.terminate(working_run(instance, process))
    assert process.wait(10) == -signal.SIGKILL


def test_cancelling_a_run_whose_worker_is_gone_ends_it_at_once(instance, worker):
    process = worker()
    run_id = working_run(instance, process)
    kill(process)
    assert instance.run_launcher.terminate(run_id)
    assert instance.get_run_by_id(run_id).status == DagsterRunStatus.CANCELED
    assert not instance.run_launcher.terminate(run_id)


def test_a_platform_that_comes_up_ends_what_was_left_at_work_and_nothing_else(instance, worker):
    left, stranger = worker(), worker()
    lost = {
        status: working_run(instance, process, status)
        for status, process in (
            (DagsterRunStatus.STARTED, left),
            (DagsterRunStatus.STARTING, None),
            (DagsterRunStatus.CANCELING, None),
        )
    }
    waiting = working_run(instance, None, DagsterRunStatus.NOT_STARTED)
    end_all(instance)
    assert left.wait(10) == -signal.SIGKILL
    assert stranger.poll() is None
    ended = {status: instance.get_run_by_id(run_id).status for status, run_id in lost.items()}
    assert ended == {
        DagsterRunStatus.STARTED: DagsterRunStatus.FAILURE,
        DagsterRunStatus.STARTING: DagsterRunStatus.FAILURE,
        DagsterRunStatus.CANCELING: DagsterRunStatus.CANCELED,
    }
    assert instance.get_run_by_id(waiting).status == DagsterRunStatus.NOT_STARTED


def test_the_projects_dagster_uses_this_launcher():
    assert yaml.safe_load((PROJECT / "dagster.yaml").read_text())["run_launcher"] == LAUNCHER
