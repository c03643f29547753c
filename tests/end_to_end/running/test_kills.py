"""Whatever is killed while the platform is up, it goes on without anyone's help, and every drop is loaded once."""

import contextlib
import itertools
import json
import os
import re
import signal
import threading
import time

import httpx
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
    """A child may have ended with its parent before its turn comes."""
    whole = [each for process in processes for each in (process, *process.children(recursive=True))]
    for process in whole:
        with contextlib.suppress(ProcessLookupError):
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


class Senders:
    """Threads that send one record after another over HTTP, each until it is accepted; `accepted` are those."""

    def __init__(self, platform, count=4):
        (self.url,) = set(re.findall(r"API +(http://\S+)", platform.said.read_text()))
        self.key = platform.run("keys", "create", "senders", "--role", "device", "--dataset", "lstk", "--quiet").strip()
        self.accepted, self.refused, self.stopping = set(), [], threading.Event()
        self.threads = [threading.Thread(target=self._send, args=[number]) for number in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _send(self, sender):
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=10) as client:
            for number in itertools.count():
                record = {"_id": f"{sender}-{number}", "hhid": f"sent_{sender}_{number}", "name": "hens", "n": 2}
                while not self.stopping.is_set() and not self._is_accepted(client, record):
                    time.sleep(0.2)
                if self.stopping.is_set():
                    return

    def _is_accepted(self, client, record):
        try:
            answer = client.post("/datasets/lstk/records", params={"partition": "2022"}, json=record)
        except httpx.HTTPError:
            return False
        if answer.status_code == 202:
            self.accepted.add(record["hhid"])
        elif answer.status_code != 503:
            self.refused.append(answer.text)
        return answer.status_code == 202


def test_what_is_accepted_while_postgres_the_api_and_dagster_are_killed_is_loaded_once(platform):
    with Senders(platform) as senders:
        for name in ("daemon", "api", "code-server", "postgres"):
            before = len(senders.accepted)
            wait_for(lambda before=before: len(senders.accepted) > before + 20, 120)
            if name == "postgres":
                kill(psutil.Process(int((platform.home / "postgres/data/postmaster.pid").read_text().split()[0])))
            else:
                kill(service(platform, name))
        before = len(senders.accepted)
        wait_for(lambda: len(senders.accepted) > before + 20, 180)
    assert senders.refused == []
    sent = "SELECT hhid FROM raw.lstk WHERE hhid LIKE 'sent\\_%'"
    wait_for(lambda: senders.accepted <= {*(platform.query(sent) or ())}, 300)
    found = platform.query(sent)
    assert len(found) == len({*found})


def test_no_row_was_doubled_or_lost_and_what_came_back_is_told(platform):
    assert [loaded(platform, name) for name in ("large", "after_the_daemon", "after_postgres")] == [[LARGE], [3], [3]]
    with psycopg.connect(postgres.running(platform.home / "postgres")) as connection:
        assert violations(connection, "lstk") == []
    for name in ("code-server", "daemon", "embedded Postgres"):
        assert f"the {name} had ended and is started again" in platform.said.read_text()
