"""A run requested over HTTP is made by the real daemon, followed to its results; another is cancelled."""

import re

import httpx
import pytest
from end_to_end.installation import wait_for


@pytest.fixture
def engineer(platform):
    key = platform.run("keys", "create", "an engineer", "--role", "engineer", "--quiet").strip()
    (address,) = set(re.findall(r"API +(http://\S+)", platform.said.read_text()))
    with httpx.Client(base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


def launched(engineer, key, **wanted):
    answer = engineer.post("/runs", json=wanted, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    (run,) = answer.json()["runs"]
    return run["id"]


def ended(engineer, run, *states):
    wait_for(lambda: engineer.get(f"/runs/{run}").json()["state"] in states, 300)
    return engineer.get(f"/runs/{run}").json()


def test_a_run_is_launched_followed_and_shows_what_it_made(platform, engineer):
    wanted = {"datasets": ["lstk"], "partition": "2021", "redo": True, "why": "counted again"}
    run = launched(engineer, "once", **wanted)
    assert launched(engineer, "once", **wanted) == run
    events = engineer.get(f"/runs/{run}/events", timeout=300).text
    assert '"state":"succeeded"' in events.strip().split("\n\n")[-1]
    found = ended(engineer, run, "succeeded", "failed")
    assert (found["made"], found["wanted"], found["why"]) == (3, 3, "counted again")
    results = engineer.get(f"/runs/{run}/results").json()
    assert {one["asset"] for one in results["assets"]} == {"raw/lstk", "cleaned/lstk", "quarantine/lstk"}
    in_force = "SELECT id FROM ledger.drops WHERE (dataset, partition, state) = ('lstk', '2021', 'loaded')"
    assert {drop["id"] for drop in results["drops"]} == {*platform.query(in_force)}
    assert all(drop["read"] == drop["loaded"] > 0 for drop in results["drops"])
    assert {"asset": "cleaned/lstk", "check": "rows_add_up", "passed": True}.items() <= next(
        one for one in results["checks"] if one["check"] == "rows_add_up"
    ).items()
    (found,) = platform.query(f"SELECT actor FROM access.audit WHERE subject = '{run}'")
    assert "an engineer" in found


def test_a_run_that_is_cancelled_ends(engineer):
    run = launched(engineer, "cancelled", select="reports/dbt")
    assert engineer.post(f"/runs/{run}/cancel").status_code == 202
    assert ended(engineer, run, "cancelled", "succeeded", "failed")["state"] == "cancelled"
    assert engineer.post(f"/runs/{run}/cancel").status_code == 409


def test_a_row_goes_back_to_its_line_and_a_mart_to_its_dataset(engineer):
    found = engineer.get("/lineage/rows/raw/lstk", params={"key": ["hhid=small_2", "name=hens"]}).json()
    assert (found["steps"][0]["rows"][0]["_line"], found["drops"][0]["partition"]) == (3, "2021")
    above = engineer.get("/lineage/assets/marts/dim_household").json()["upstream"]
    assert {"raw/lstk", "raw/hhinfo"} <= {one["asset"] for one in above}
