"""Records over HTTP: durable before they are answered for, once each, in order, with what the contract says of them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from api_process import ApiProcess, api_process
from sending import GOOD, RECORDS, ingested
from visits import Site

from lastmile.ingestion.submissions.gatherer import Gatherer
from lastmile.serving.state import Serving


@pytest.fixture
def device(api) -> Iterator[httpx.Client]:
    with api.to("device") as client:
        yield client


@pytest.fixture
def project(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The site's contract, as a project that the engine's process finds."""
    contracts = tmp_path / "project" / "assets" / "field" / "contracts"
    contracts.mkdir(parents=True)
    for folder in (contracts, contracts.parent, contracts.parent.parent):
        (folder / "__init__.py").touch()
    (contracts / "visits.py").write_text("import visits\n\ncontract = visits.VISITS\n")
    (tmp_path / "project" / "pyproject.toml").write_text("[tool.lastmile]\n")
    monkeypatch.setenv("LASTMILE_PROJECT", str(tmp_path / "project"))
    tests = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [tests, os.environ.get("PYTHONPATH")])))


def test_a_record_is_accepted_gathered_and_loaded(site: Site, device: httpx.Client) -> None:
    answer = device.post(RECORDS, json=GOOD)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == answer.json()["url"]
    ingested(site)
    assert site.visits() == ["v1"]
    job = device.get(f"/jobs/{answer.json()['job']}").json()
    assert (job["state"], job["settled"], job["rows"]["loaded"]) == ("loaded", True, 1)


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_many_records_may_be_an_array_or_lines(site: Site, device: httpx.Client, kind: str) -> None:
    rows = [GOOD | {"visit": f"v{number}"} for number in range(5)]
    body = "\n".join(map(json.dumps, rows)) if kind.endswith("ndjson") else json.dumps(rows)
    answer = device.post(RECORDS, content=body, headers={"Content-Type": kind})
    assert answer.json()["records"] == 5
    ingested(site)
    assert site.visits() == [f"v{number}" for number in range(5)]


def test_ten_sends_at_once_of_the_same_are_one(site: Site, api) -> None:
    key, record = str(uuid4()), GOOD | {"_id": str(uuid4())}
    headers = {"Authorization": f"Bearer {api.key('device')}", "Idempotency-Key": key}

    def send(_: int) -> httpx.Response:
        return api(f"/api/v1{RECORDS}", "POST", json=record, headers=headers)

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(send, range(10)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9
    other = api(f"/api/v1{RECORDS}", "POST", json=record | {"persons": 1}, headers=headers)
    assert other.status_code == 409
    ingested(site)
    assert site.visits() == ["v1"]
    assert site.query("SELECT count(*) AS n FROM access.audit WHERE action = 'submit records'") == [{"n": 1}]


def test_an_edit_replaces_and_a_withdrawal_removes(site: Site, device: httpx.Client) -> None:
    device.post(RECORDS, json=GOOD | {"_id": "a", "_revision": 1})
    device.post(RECORDS, json=GOOD | {"_id": "b", "visit": "v2"})
    ingested(site)
    device.post(RECORDS, json=GOOD | {"_id": "a", "_revision": 2, "persons": 7})
    assert device.delete("/datasets/visits/records/b").status_code == 202
    ingested(site)
    assert site.query("SELECT visit, persons FROM raw.visits") == [{"visit": "v1", "persons": 7}]


@pytest.mark.parametrize(
    ("body", "status"),
    [("{", 422), ("[]", 422), ("3", 422), ('{"a": NaN}', 422), ('{"_id": ""}', 422), ('{"_revision": 1.5}', 422)],
)
def test_what_is_no_record_is_refused_with_the_reason(device: httpx.Client, body: str, status: int) -> None:
    answer = device.post(RECORDS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert "expected" in answer.json()["detail"] or "number" in answer.json()["detail"]


def test_another_dataset_partition_or_format_is_refused(device: httpx.Client) -> None:
    assert device.post("/datasets/other/records", json=GOOD).status_code == 403
    assert device.post("/datasets/visits/records?partition=1999", json=GOOD).status_code == 409
    assert device.post("/datasets/visits/records?partition=2020-01", json=GOOD).status_code == 409
    assert device.post(RECORDS, content="a,b", headers={"Content-Type": "text/csv"}).status_code == 415


def test_a_dataset_that_there_is_not_is_named_with_those_there_are(api) -> None:
    answer = api.to("engineer").post("/datasets/other/records", json=GOOD)
    assert (answer.status_code, "visits" in answer.json()["detail"]) == (404, True)


@pytest.mark.usefixtures("project")
def test_validated_at_once_rows_are_judged_as_their_drop_will_be(site: Site, device: httpx.Client) -> None:
    bad = GOOD | {"visit": "v2", "persons": 99}
    only = device.post(f"{RECORDS}&validate=only", json=[GOOD, bad]).json()
    assert [row["valid"] for row in only["rows"]] == [True, False]
    refused = device.post(f"{RECORDS}&validate=now", json=[GOOD, bad, {"persons": 1}])
    assert refused.status_code == 409
    faults = {row["line"]: row["violations"] for row in refused.json()["errors"]}
    assert set(faults) == {2, 3}
    assert {one["rule"] for one in faults[3]} == {"required"}
    assert site.query("SELECT count(*) AS n FROM submissions.jobs") == [{"n": 0}]
    later = device.post(RECORDS, json=[GOOD, bad]).json()["job"]
    ingested(site)
    (record,) = (one for one in device.get(f"/jobs/{later}").json()["found"] if one["state"] == "quarantined")
    assert record["violations"] == faults[2]
    assert device.post(f"{RECORDS}&validate=now", json=GOOD | {"visit": "v9"}).status_code == 202


def test_a_thousand_submissions_of_days_offline_land_in_order_and_completely(site: Site, device: httpx.Client) -> None:
    for number in range(1_000):
        answer = device.post(RECORDS, json=GOOD | {"visit": f"v{number:04}", "_id": str(number)})
        assert answer.status_code == 202
    ingested(site)
    rows = site.query("SELECT visit FROM raw.visits JOIN ledger.drops d ON d.id = _drop_id ORDER BY d.key, _line")
    assert [row["visit"] for row in rows] == [f"v{number:04}" for number in range(1_000)]
    assert len(site.drops()) < 100


def test_while_the_store_is_away_records_are_accepted_and_gathered_later(
    site: Site, device: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = site.folder() / "landing"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file in the place of the folder")
    answer = device.post(RECORDS, json=GOOD)
    assert answer.status_code == 202
    time.sleep(1.5)
    assert device.get(answer.json()["url"].removeprefix("/api/v1")).json()["state"] == "accepted"
    folder.unlink()
    ingested(site)
    assert site.visits() == ["v1"]


def test_without_a_database_nothing_is_accepted_and_the_client_is_sent_to_try_again(
    device: httpx.Client, here: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert device.post(RECORDS, json=GOOD).status_code == 202

    def away(*_: Any) -> Any:
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr("lastmile.serving.intake.accepting.accept", away)
    answer = device.post(RECORDS, json=GOOD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_two_gatherers_at_once_do_the_work_of_one(site: Site, device: httpx.Client, here: Serving) -> None:
    other = Gatherer(site.database_url, site.store, lambda dataset: {}, seconds=0.01)
    other.open()
    for number in range(200):
        device.post(RECORDS, json=GOOD | {"visit": f"v{number}"})
    ingested(site)
    other.close()
    assert len(site.visits()) == 200


class Load:
    """Clients that send single records as fast as they can; `accepted` are the visits that a 202 was answered for."""

    def __init__(self, api: ApiProcess, key: str, clients: int) -> None:
        self.accepted: set[str] = set()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(api, key, n)) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def _send(self, api: ApiProcess, key: str, client: int) -> None:
        number = 0
        with httpx.Client(base_url=f"{api.url}/api/v1", headers={"Authorization": f"Bearer {key}"}) as http:
            while not self._stopping.is_set():
                visit = f"c{client}-{number}"
                record = GOOD | {"visit": visit, "_id": visit}
                try:
                    if http.post(RECORDS, json=record, headers={"Idempotency-Key": visit}).status_code == 202:
                        self.accepted.add(visit)
                        number += 1
                except httpx.TransportError:
                    time.sleep(0.05)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_whatever_kills_the_process_each_record_answered_for_is_loaded_once(
    site: Site, here: Serving, how: signal.Signals
) -> None:
    here.open()
    from lastmile.access import keys

    with here.writing() as connection:
        key = keys.create(connection, here.secret, "tablet", "device", "test", datasets=["visits"])[0]
    here.close()
    with api_process(LASTMILE_RATE_LIMIT="100000/second", LASTMILE_DATABASE_URL=site.database_url) as process:
        load = Load(process, key, 8)
        for pause in (0.7, 1.3, 1.9):
            time.sleep(pause)
            process.kill(how)
            process.start()
        time.sleep(0.5)
        load.stop()
        ingested(site)
    assert len(load.accepted) > 100
    visits = site.visits()
    assert len(visits) == len(set(visits))
    assert load.accepted <= set(visits)


def test_accepting_imports_nothing_that_is_for_the_engine() -> None:
    code = """
import sys, importlib
for part in ("records", "files", "uploads", "forms", "jobs"):
    importlib.import_module(f"lastmile.serving.routers.ingest.{part}")
from lastmile.contracts.partition import Partition
from datetime import date
Partition("year", date(2015, 1, 1)).window("2020")
print([name for name in ("pandas", "polars", "pandera", "sklearn", "dagster", "pyarrow") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
