"""Processes ended by SIGTERM while drops come, as at a rollout: nothing is lost, and no run is stuck."""

import json
import os
import signal
import time

import psutil
import psycopg
import pytest
from end_to_end.installation import rows, small_sample_made, wait_for

from lastmile.embedded import postgres
from lastmile.operations.audit import violations
from lastmile.orchestration.runs.workers import WORKER_TAG

DATASETS = ("crop", "hhinfo", "lstk", "lstk_prod")
#: A process that drains has this long, and a busy machine somewhat longer.
MOST_SECONDS = 60
AT_WORK = """
    SELECT t.value FROM dagster.runs r JOIN dagster.run_tags t ON t.run_id = r.run_id AND t.key = %s
    WHERE r.status = 'STARTED' AND EXISTS (SELECT FROM ledger.drops WHERE state = 'claimed')
"""
UNDER_WAY = """
    SELECT (SELECT count(*) FROM dagster.runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')),
        (SELECT count(*) FROM ledger.drops WHERE state IN ('discovered', 'claimed'))
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    with small_sample_made(tmp_path_factory.mktemp("restarts") / "home", 900) as one:
        yield one


def drops(platform, seed):
    platform.run("sample", "household_survey", "--size", "4000", "--seed", str(seed), "--partitions", "2021-2022")


def ended(process):
    """Seconds that a process needs to end after SIGTERM."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, MOST_SECONDS, every=0.02)
    return time.monotonic() - began


def service(platform, name):
    started = json.loads((platform.home / "processes.json").read_text())
    return psutil.Process(next(one["pid"] for one in started if one["name"] == name))


def assert_nothing_is_lost(platform):
    wait_for(lambda: rows(platform, UNDER_WAY) == [(0, 0)], 900, every=2)
    with psycopg.connect(postgres.running(platform.home / "postgres"), autocommit=True) as connection:
        assert [fault for dataset in DATASETS for fault in violations(connection, dataset)] == []
    states = {state for (state,) in rows(platform, "SELECT DISTINCT state FROM ledger.drops")}
    assert states <= {"loaded", "quarantined", "duplicate", "superseded"}


@pytest.mark.flow
def test_health_sees_every_process_and_one_that_hangs(platform):
    said = json.loads(platform.run("health", "--json"))
    assert {one["process"] for one in said["checks"]} >= {"code-server", "api", "webserver", "daemon", "workers"}
    assert said["ok"]
    hung = service(platform, "api")
    hung.suspend()
    try:
        assert "no answer on port" in platform.run("health", "api", "--live", code=1)
    finally:
        hung.resume()


@pytest.mark.flow
def test_a_worker_and_the_daemon_ended_while_drops_come_lose_nothing(platform):
    drops(platform, 1)
    ((worker,), *_) = wait_for(lambda: rows(platform, AT_WORK, WORKER_TAG), 300, every=0.05)
    recorded = json.loads(worker)
    worker_seconds = ended(psutil.Process(recorded["pid"]))
    ((status,),) = wait_for(
        lambda: rows(
            platform,
            "SELECT status FROM dagster.runs WHERE run_id = %s AND status IN ('FAILURE', 'CANCELED')",
            recorded["name"],
        ),
        60,
    )
    assert status == "FAILURE"  # no one canceled it, so it is retried
    drops(platform, 2)
    daemon_seconds = ended(service(platform, "daemon"))
    drops(platform, 3)
    assert_nothing_is_lost(platform)
    print(f"after SIGTERM the worker ended in {worker_seconds:.1f} s, the daemon in {daemon_seconds:.1f} s")


@pytest.mark.flow
def test_up_ended_while_a_run_works_leaves_no_run_at_work(platform):
    drops(platform, 4)
    wait_for(lambda: rows(platform, AT_WORK, WORKER_TAG), 300, every=0.05)
    began = time.monotonic()
    os.kill(platform_up(platform), signal.SIGTERM)
    wait_for(lambda: not platform.processes(), 90)
    seconds = time.monotonic() - began
    with platform.postgres() as url, psycopg.connect(url) as connection:
        working = connection.execute("SELECT count(*) FROM dagster.runs WHERE status = 'STARTED'").fetchone()
    assert working == (0,)
    print(f"after SIGTERM all of it ended in {seconds:.1f} s")


def platform_up(platform):
    return next(process.pid for process in platform.started if process.poll() is None and "up" in process.args)
