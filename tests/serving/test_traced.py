"""A request continues its caller's trace, and what it sends in carries it on."""

import pytest
from learned import declare, learned
from serving.conftest import running
from telemetry_receiver import tracing

from lastmile.ingestion.submissions.traces import traces_of
from lastmile.serving.engine import Engine
from lastmile.telemetry.spans import Place, continuing

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
FILE = "visit,persons,hours,travel_hours,outcome\nv1,3,2,1,done\n"


@pytest.fixture
def collector():
    with tracing("api") as one:
        yield one


def test_a_request_is_a_span_of_its_callers_trace(api, collector):
    with api.to("viewer") as viewer:
        viewer.get("/datasets/visits", headers={"traceparent": CALLER})
    collector.flush()
    (request,) = collector.named("serving.request", method="GET")
    assert (request.trace, request.parent) == (Place.read(CALLER).trace, Place.read(CALLER).span)
    assert request.attributes["route"] == "/api/v1/datasets/{name}"
    assert request.attributes["status"] == 200


def test_a_request_that_is_refused_is_a_span_with_its_status(api, collector):
    assert api("/api/v1/datasets/visits", headers={"Authorization": "Bearer wrong"}).status_code == 401
    collector.flush()
    (request,) = collector.named("serving.request")
    assert (request.attributes["status"], request.error) == (401, None)


def test_probes_are_no_spans(api, collector):
    assert api("/api/v1/health/live").status_code == 200
    collector.flush()
    assert collector.spans == []


def test_a_file_that_is_sent_carries_the_trace_of_its_request(api, site, collector):
    with api.to("device") as device:
        sent = device.post("/datasets/visits/files?partition=2020", content=FILE, headers={"traceparent": CALLER})
    assert sent.status_code == 202
    collector.flush()
    (landed,) = collector.named("serving.land", dataset="visits", bytes=len(FILE))
    assert collector.way(landed) == ["serving.request", "serving.land"]
    site.discover()
    site.take()
    collector.flush()
    (drop,) = collector.named("ingest.drop", state="loaded")
    assert collector.way(drop) == ["serving.request", "drop.discovered", "ingest.drop"]
    assert drop.trace == Place.read(CALLER).trace


def test_a_record_that_is_sent_carries_the_trace_of_its_request(api, site, collector):
    record = {"visit": "v1", "persons": 3, "hours": 2, "travel_hours": 1, "outcome": "done"}
    with api.to("device") as device:
        device.post("/datasets/visits/records?partition=2020", json=record, headers={"traceparent": CALLER})
    ((carried,),) = site.connection.execute("SELECT traceparent FROM submissions.jobs").fetchall()
    collector.flush()
    (request,) = collector.named("serving.request", method="POST")
    assert carried == f"00-{request.trace}-{request.span}-01"
    assert traces_of(site.connection, site.store.url, ["landing/visits/2020/other.csv"]) == {}


def test_the_engines_process_continues_the_trace(monkeypatch, settings):
    with tracing() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        engine = Engine("traced")
        try:
            with continuing(CALLER):
                engine.call("builtins:dict", answer=1)
        finally:
            engine.close()
        (called,) = collector.named("serving.engine", function="builtins:dict")
    assert (called.process, called.trace) == ("engine", Place.read(CALLER).trace)


def test_a_prediction_continues_its_callers_trace(site, here, collector):
    known = learned(site.connection, site.store)
    declare(site.connection)
    with running(here) as api, api.to("analyst") as analyst:
        body = {"rows": [known.row(3), known.row(4)]}
        assert analyst.post("/models/fields/predict", json=body, headers={"traceparent": CALLER}).status_code == 200
    collector.flush()
    (predicted,) = collector.named("serving.predict", model="fields", version="1", rows=2)
    assert collector.way(predicted) == ["serving.request", "serving.predict"]
    assert predicted.trace == Place.read(CALLER).trace
