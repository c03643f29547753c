"""Jobs: followed by looking, by events and over a WebSocket, by those who may."""

import json
import threading
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from sending import GOOD, RECORDS, ingested
from visits import Site
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


@pytest.fixture
def device(api) -> Iterator[httpx.Client]:
    with api.to("device") as client:
        yield client


def sent(client: httpx.Client, visit: str = "v1", **more: object) -> str:
    return str(client.post(RECORDS, json=GOOD | {"visit": visit} | more).json()["job"])


def test_the_history_is_paged_and_filtered(site: Site, api, device: httpx.Client) -> None:
    jobs = [sent(device, f"v{number}") for number in range(5)]
    bad = sent(device, "v9", persons=99)
    ingested(site)
    viewer = api.to("viewer")
    first = viewer.get("/jobs?limit=4").json()
    second = viewer.get(f"/jobs?limit=4&after={first['after']}").json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == [bad, *reversed(jobs)]
    assert second["after"] is None
    assert [job["id"] for job in viewer.get("/jobs?state=quarantined").json()["jobs"]] == [bad]
    assert viewer.get("/jobs?kind=file").json()["jobs"] == []
    assert viewer.get("/jobs?dataset=other").json()["jobs"] == []
    assert viewer.get("/jobs?since=2100-01-01T00:00:00Z").json()["jobs"] == []


def test_a_device_sees_its_own_jobs_only(api, device: httpx.Client) -> None:
    job = sent(device)
    other = api.to("device")
    assert device.get(f"/jobs/{job}").status_code == 200
    assert other.get(f"/jobs/{job}").status_code == 404
    assert other.get(f"/jobs/{job}/events").status_code == 404
    assert other.get("/jobs").json()["jobs"] == []
    assert other.get(f"/jobs?by={device.get('/jobs').json()['jobs'][0]['by']}").json()["jobs"] == []
    assert api(f"/api/v1/jobs/{job}").status_code == 401


def test_a_job_that_there_is_not(device: httpx.Client) -> None:
    assert device.get(f"/jobs/{uuid4()}").status_code == 404
    assert device.get("/jobs/none").status_code == 422


def test_the_records_of_a_job_are_paged(site: Site, device: httpx.Client) -> None:
    rows = [GOOD | {"visit": f"v{number}", "_id": f"r{number}"} for number in range(5)]
    job = device.post(RECORDS, json=rows).json()["job"]
    ingested(site)
    first = device.get(f"/jobs/{job}?limit=3").json()
    second = device.get(f"/jobs/{job}?limit=3&after={first['after']}").json()
    assert [one["record"] for one in first["found"] + second["found"]] == [f"r{number}" for number in range(5)]
    assert second["after"] is None


def test_events_end_when_the_job_is_settled_and_go_on_from_the_last(site: Site, device: httpx.Client) -> None:
    job = sent(device)
    thread = threading.Timer(1.5, ingested, [site])
    thread.start()
    with device.stream("GET", f"/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    thread.join()
    states = [line.removeprefix("event: ") for line in lines if line.startswith("event")]
    assert states[0] in ("accepted", "landed")
    assert states[-1] == "loaded"
    assert json.loads([line for line in lines if line.startswith("data")][-1].removeprefix("data: "))["settled"]
    last = [line for line in lines if line.startswith("id")][-1].removeprefix("id: ")
    assert device.get(f"/jobs/{job}/events", headers={"Last-Event-ID": last}).status_code == 204


def test_a_web_socket_says_the_same_to_who_may_see_it(site: Site, api) -> None:
    key = api.key("device")
    headers = {"Authorization": f"Bearer {key}"}
    job = httpx.post(f"{api.url}/api/v1{RECORDS}", json=GOOD, headers=headers).json()["job"]
    url = f"{api.url.replace('http', 'ws')}/api/v1/jobs/{job}/ws"
    thread = threading.Timer(1.5, ingested, [site])
    thread.start()
    with connect(url, additional_headers=headers) as socket:
        states = [json.loads(message)["state"] for message in socket]
    thread.join()
    assert states[-1] == "loaded"
    for others in ({}, {"Authorization": f"Bearer {api.key('device')}"}, {"Authorization": "Bearer lm_no"}):
        with pytest.raises(InvalidStatus, match="403"), connect(url, additional_headers=others):
            pass


def test_found_values_of_personal_columns_are_not_shown_to_who_may_not_see_them(
    site: Site, api, device: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(api.here.catalogue()), "personal", frozenset({"persons"}))
    job = sent(device, persons=987654)
    ingested(site)
    for client, is_shown in ((device, False), (api.to("viewer"), False), (api.to("engineer"), True)):
        text = client.get(f"/jobs/{job}").text
        assert "violations" in text
        assert ("987654" in text) is is_shown
