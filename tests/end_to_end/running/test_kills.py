"""Whatever is killed while the platform is up, it goes on without anyone's help, and every drop is loaded once."""

import json
import os
import signal
import time

import psutil
import psycopg
from end_to_end.installation import wait_for

from lastmile.embedded import postgres
from lastmile.operations.audit import violations
from lastmile.orchestration.runs.workers import WORKER_TAG

#: Rows of a drop that takes seconds to load.
LARGE = 400_000


def drop(platform, name, year, rows):
    file = platform.home.parent / f"{name}.csv"
    file.write_text("hhid,name,n\n" + "".join(f"{name}_{number},goats,3\n" for number in range(rows)))
    platform.run("drop", file, "--dataset", "lstk", "--partition", str(year))


def service(platform, name):
    """The newest of that name: a killed daemon is remembered while runs that it started go on."""
    started = json.loads((platform.home / "processes.json").read_text())
    return psutil.Process([one["pid"] for one in started if one["name"] == name][-1])


def workers(platform):
    recorded = platform.query(f"SELECT value FROM dagster.run_tags WHERE key = '{WORKER_TAG}'") or []
    pids = {json.loads(worker)["pid"] for worker in recorded}
    return [process for process in platform.processes() if process.pid in pids]


def kill(*processes):
    whole = [each for process in processes for each in (process, *process.children(recursive=True))]
    for process in whole:
        os.kill(process.pid, signal.SIGKILL)


def loaded(platform, name):
    return platform.query(f"SELECT count(*) FROM raw.lstk WHERE hhid LIKE '{name}\\_%'")


def test_a_run_whose_worker_and_code_server_are_killed_together_ends_and_its_drop_is_loaded_once(platform):
    drop(platform, "large", 2021, LARGE)
    wait_for(lambda: platform.query("SELECT id FROM ledger.drops WHERE state = 'claimed'"), 240)
    (run,) = platform.query("SELECT run_id FROM ledger.drops WHERE state = 'claimed'")
    kill(*workers(platform), service(platform, "code-server"))
    killed_at = time.monotonic()
    wait_for(lambda: platform.query(f"SELECT status FROM dagster.runs WHERE run_id = '{run}'") == ["FAILURE"], 60)
    print(f"the run was ended {time.monotonic() - killed_at:.1f} s after the kill")
    assert loaded(platform, "large") == [0]
    assert platform.query(f"SELECT count(*) FROM dagster.concurrency_slots WHERE run_id = '{run}'") == [0]
    wait_for(lambda: loaded(platform, "large") == [LARGE], 240)


def test_a_killed_daemon_comes_back_and_takes_the_next_drop(platform):
    daemon = service(platform, "daemon")
    os.kill(daemon.pid, signal.SIGKILL)
    drop(platform, "after_the_daemon", 2022, 3)
    wait_for(lambda: loaded(platform, "after_the_daemon") == [3], 240)
    assert service(platform, "daemon") != daemon


def test_a_killed_postgres_comes_back_and_the_next_drop_is_taken(platform):
    pid = int((platform.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    kill(psutil.Process(pid))
    wait_for(lambda: platform.query("SELECT 1"), 60)
    drop(platform, "after_postgres", 2023, 3)
    wait_for(lambda: loaded(platform, "after_postgres") != [0], 240)
    assert loaded(platform, "after_postgres") == [3]


def test_no_row_was_doubled_or_lost_and_what_came_back_is_told(platform):
    assert [loaded(platform, name) for name in ("large", "after_the_daemon", "after_postgres")] == [[LARGE], [3], [3]]
    with psycopg.connect(postgres.running(platform.home / "postgres")) as connection:
        assert violations(connection, "lstk") == []
    for name in ("code-server", "daemon", "embedded Postgres"):
        assert f"the {name} had ended and is started again" in platform.said.read_text()
