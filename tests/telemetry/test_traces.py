"""Spans arrive at a real collector by OTLP, in their order, with errors; nothing waits for one that is away."""

import subprocess
import sys
import time

import pytest
from telemetry_receiver import receiving, tracing

from lastmile.settings.group import load
from lastmile.settings.telemetry import TelemetrySettings
from lastmile.telemetry.spans import continuing, record, span, traceparent

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
WORK = """
import sys
from lastmile import telemetry
from lastmile.telemetry.spans import span

telemetry.start("worker")
with span("run.work", run="r"):
    pass
print("opentelemetry" in sys.modules)
"""


@pytest.fixture
def collector():
    with tracing() as one:
        yield one


def in_a_process(home, code=WORK, **variables):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"LASTMILE_HOME": str(home), "PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout.strip()


def test_a_span_within_another_is_its_child(collector):
    with span("run.work", run="r"), span("run.step", step="s") as done:
        done(rows=3)
    collector.flush()
    (step,) = collector.named("run.step", step="s", rows=3)
    assert collector.way(step) == ["run.work", "run.step"]


def test_a_callers_trace_is_continued(collector):
    with continuing(CALLER), span("serving.request"):
        carried = traceparent()
    collector.flush()
    (request,) = collector.spans
    assert (request.trace, request.parent) == (CALLER.split("-")[1], CALLER.split("-")[2])
    assert carried == f"00-{request.trace}-{request.span}-01"


def test_a_trace_that_its_caller_does_not_sample_is_not_sent_and_carried_on_so(collector):
    with continuing(f"{CALLER[:-2]}00"), span("serving.request"):
        assert traceparent().split("-")[1::2] == [CALLER.split("-")[1], "00"]
    collector.flush()
    assert collector.spans == []


def test_a_span_that_fails_has_its_error(collector):
    with pytest.raises(ValueError, match="odd"), span("ingest.detect"):
        raise ValueError("an odd file")
    collector.flush()
    (failed,) = collector.spans
    assert failed.error == "ValueError: an odd file"


def test_a_problem_without_an_exception_is_an_error_too(collector):
    with span("ingest.drop") as done:
        done(state="quarantined", problem="8 of 9 rows broke the contract")
    collector.flush()
    (failed,) = collector.spans
    assert (failed.error, failed.attributes) == ("8 of 9 rows broke the contract", {"state": "quarantined"})


def test_what_is_recorded_afterwards_has_its_own_time(collector):
    with span("dbt.command"):
        record("dbt.model", time.time() - 60, 2.5, model="a")
    collector.flush()
    (model,) = collector.named("dbt.model", model="a")
    assert model.seconds == pytest.approx(2.5, abs=1e-3)
    assert collector.way(model) == ["dbt.command", "dbt.model"]


def test_a_link_names_the_other_trace(collector):
    with span("run.work", links=[CALLER, "none"]):
        pass
    collector.flush()
    assert collector.spans[0].links == [CALLER.split("-")[1]]


def test_headers_for_the_collector_are_sent():
    with tracing(headers="Authorization=Bearer%20secret") as collector:
        with span("run.work"):
            pass
        collector.flush()
        sent = {name.lower(): value for name, value in collector.headers[0].items()}
    assert sent["authorization"] == "Bearer secret"


def test_a_process_sends_what_is_left_when_it_ends(tmp_path):
    with receiving() as collector:
        in_a_process(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        assert [(one.process, one.name) for one in collector.spans] == [("worker", "run.work")]


def test_the_samplers_variables_hold(tmp_path):
    variables = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    with receiving() as collector:
        in_a_process(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **variables)
        assert collector.spans == []


def test_where_nothing_is_traced_opentelemetry_is_not_imported(tmp_path):
    assert in_a_process(tmp_path) == "False"
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}
    assert in_a_process(tmp_path, **variables) == "False"


@pytest.mark.parametrize("status", [None, 503], ids=["refused", "unavailable"])
def test_a_collector_that_is_away_holds_up_the_end_of_a_process_for_seconds_only(tmp_path, status):
    timed = "import time; since = time.monotonic(); telemetry.end(); print(time.monotonic() - since)"
    with receiving(lambda: status or 503) as collector:
        url = collector.url if status else "http://127.0.0.1:9"
        said = in_a_process(tmp_path, f"{WORK}\n{timed}", OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert float(said.splitlines()[-1]) < 6


def test_settings_are_those_of_opentelemetry():
    found = load(TelemetrySettings, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:4318/"})
    assert found.url == "http://a:4318/v1/traces"
    assert load(TelemetrySettings, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a/x"}).url == "http://a/x"
    assert load(TelemetrySettings, {}).url is None
