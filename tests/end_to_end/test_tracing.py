"""One trace from a file to the tables made of it, across the API, the code server, the daemon and a worker.

A platform that is up, and a collector: 2 to 4 minutes.
"""

import json
import time
import urllib.request

import pytest
from end_to_end.installation import Installation, answers, wait_for
from telemetry_receiver import receiving

from lastmile.embedded.processes import free_port
from lastmile.telemetry.spans import Place

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROWS = "hhid,name,n\nsmall_1,goats,3\nsmall_2,hens,4\n"
BROKEN = "nothing,here\n1,2\n"
#: What the worker of a run does for a drop, from its request on.
OF_RUN = {"run.requested", "run.launch", "run.work", "run.step", "ingest.drop", "dbt.command", "dbt.model"}


@pytest.fixture(scope="module")
def collector():
    with receiving() as one:
        yield one


@pytest.fixture(scope="module")
def platform(tmp_path_factory, collector):
    """Up, with one file dropped before; its `key` may upload."""
    folder = tmp_path_factory.mktemp("traced")
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "500"}
    with Installation(folder / "home", variables) as one:
        (folder / "animals.csv").write_text(ROWS)
        one.run("drop", folder / "animals.csv", "--dataset", "lstk", "--partition", "2021")
        ui, one.api = free_port(), free_port()
        with (folder / "up.log").open("w") as output:
            one.start("up", "--port", str(ui), "--api-port", str(one.api), output=output)
        wait_for(lambda: answers(f"http://127.0.0.1:{ui}"), 300)
        one.key = one.run("keys", "create", "field", "--role", "admin", "--quiet").splitlines()[-1]
        wait_for(lambda: answers_api(one), 300)
        yield one


def answers_api(platform):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{platform.api}/ready", timeout=10) as response:
            return response.status == 200
    except OSError:
        return False


def send(platform, body, partition, **headers):
    request = urllib.request.Request(
        f"http://127.0.0.1:{platform.api}/api/v1/datasets/lstk/files?partition={partition}",
        body.encode(),
        {"Authorization": f"Bearer {platform.key}", **headers},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status == 202


def of_trace(collector, trace):
    return [one for one in list(collector.spans) if one.trace == trace]


def names(collector, trace):
    return {one.name for one in of_trace(collector, trace)}


def wait_until_seen(collector, trace, expected, seconds):
    """Fails the test with the names that are missing."""
    deadline = time.monotonic() + seconds
    while (missing := expected - names(collector, trace)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert missing == set()


def test_a_dropped_file_is_one_trace_from_its_discovery_to_the_tables_made_of_it(platform, collector):
    (found,) = wait_for(lambda: collector.named("drop.discovered", dataset="lstk", partition="2021"), 300)
    wait_until_seen(collector, found.trace, OF_RUN | {"drop.discovered"}, 900)
    processes = {one.name: one.process for one in of_trace(collector, found.trace)}
    assert processes["drop.discovered"] == processes["run.requested"] == "code-server"
    assert processes["run.launch"] == "daemon"
    assert processes["ingest.drop"] == processes["dbt.model"] == "worker"
    (drop,) = collector.named("ingest.drop", state="loaded", rows=2)
    way = ["drop.discovered", "run.requested", "run.work", "run.step", "ingest.drop"]
    assert collector.way(drop) == way
    of_drop = [one for one in of_trace(collector, found.trace) if one.name == "ingest.copy"]
    assert collector.way(of_drop[0]) == [*way, "ingest.copy"]
    (model,) = collector.named("dbt.model", model="int_household_livestock")
    assert collector.way(model) == [*way[:4], "dbt.command", "dbt.model"]


def test_an_upload_is_part_of_its_callers_trace_to_the_tables_made_of_it(platform, collector):
    trace = Place.read(CALLER).trace
    send(platform, f"{ROWS}small_3,cattle,1\n", "2020", traceparent=CALLER)
    expected = OF_RUN | {"serving.request", "serving.land", "db.accept", "drop.discovered"}
    wait_until_seen(collector, trace, expected, 900)
    (request,) = [one for one in of_trace(collector, trace) if one.name == "serving.request"]
    assert (request.process, request.parent) == ("api", Place.read(CALLER).span)
    (drop,) = [one for one in of_trace(collector, trace) if one.name == "ingest.drop"]
    assert collector.way(drop) == [
        "serving.request", "drop.discovered", "run.requested", "run.work", "run.step", "ingest.drop",
    ]  # fmt: skip
    assert {one.process for one in of_trace(collector, trace)} == {"api", "code-server", "daemon", "worker"}
    said = platform.run("logs", "--drop", str(drop.attributes["drop"]), "--json")
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [line["message"] for line in lines if line["process"] == "ledger"] == ["discovered", "claimed", "loaded"]
    (own,) = [line for line in lines if line["process"] == "worker" and "drop" in line]
    assert (own["trace"], own["dataset"], own["drop"]) == (trace, "lstk", drop.attributes["drop"])
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    of_run = platform.run("logs", "--run", own["run"][:8])
    assert 'Started execution of step "ingest_lstk"' in of_run


def test_a_drop_that_fails_has_the_error_in_its_trace(platform, collector):
    send(platform, BROKEN, "2019")
    (drop,) = wait_for(lambda: collector.named("ingest.drop", state="quarantined"), 900)
    assert "hhid" in drop.error
    assert wait_for(lambda: collector.way(drop)[0] == "serving.request", 120)  # the run it is part of ends later
    assert "quarantined" in platform.run("logs", "--drop", str(drop.attributes["drop"]), "--level", "warning")
