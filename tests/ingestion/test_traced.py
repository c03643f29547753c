"""A drop has a trace, from the request that sent it or from its discovery, and every stage of its intake is in it."""

import json
import logging
from uuid import uuid4

import pytest
from telemetry_receiver import tracing

from lastmile.ingestion.parallel import ingest_in_parallel
from lastmile.ingestion.submissions import Record, Submission, jobs
from lastmile.ingestion.submissions.accepting import accept
from lastmile.ingestion.submissions.gatherer import step
from lastmile.telemetry.spans import Place, continuing, span
from lastmile.warehouse.connections import connect

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STAGES = {"fetch", "detect", "read", "validate", "encode", "copy", "parquet", "publish", "commit"}


@pytest.fixture
def collector():
    with tracing() as one:
        yield one


def ingest(site, collector):
    """As a run does."""
    with span("run.work", run="r"):
        outcomes = site.take()
    collector.flush()
    return outcomes


def test_each_stage_of_a_drop_is_a_span_of_its_trace(site, collector):
    site.put_rows("a.csv", *(f"v{number},3,2,1,done" for number in range(10)))
    site.discover()
    ingest(site, collector)
    (drop,) = collector.named("ingest.drop", dataset="visits", rows=10, loaded=10, state="loaded")
    assert collector.way(drop) == ["drop.discovered", "ingest.drop"]
    (run,) = collector.named("run.work")
    assert drop.links == [run.trace] != [drop.trace]
    inside = {one.name for one in collector.spans if one.trace == drop.trace}
    assert {f"ingest.{stage}" for stage in STAGES} <= inside
    assert {"db.lock", "db.settle"} <= inside
    for stage in ("read", "validate", "encode", "copy", "parquet"):
        (one,) = collector.named(f"ingest.{stage}", dataset="visits", rows=10)
        assert collector.way(one)[:2] == ["drop.discovered", "ingest.drop"]
    (copied,) = collector.named("ingest.copy")
    assert copied.attributes["bytes"] > 100


def test_the_stages_of_many_batches_are_in_the_trace_though_other_threads_do_them(site, collector):
    site.put_rows("a.csv", *(f"v{number},3,2,1,done" for number in range(120_000)))
    site.discover()
    ingest(site, collector)
    (drop,) = collector.named("ingest.drop")
    for stage in ("validate", "encode", "copy", "parquet"):
        batches = collector.named(f"ingest.{stage}")
        assert len(batches) > 1
        assert sum(one.attributes["rows"] for one in batches) == 120_000
        assert {collector.way(one)[1] for one in batches} == {"ingest.drop"}
    assert {one.trace for one in collector.named("ingest.read")} == {drop.trace}


def test_small_drops_that_are_committed_together_each_have_a_span_in_their_own_trace(site, collector):
    for number in range(5):
        site.put_rows(f"{number}.csv", f"v{number},3,2,1,done")
    site.discover()
    ingest(site, collector)
    drops = collector.named("ingest.drop", state="loaded", rows=1)
    (batch,) = collector.named("ingest.batch", drops=5, rows=5)
    assert len({drop.trace for drop in drops}) == 5
    assert {collector.way(drop)[0] for drop in drops} == {"drop.discovered"}
    assert {link for drop in drops for link in drop.links} == {batch.trace}
    assert collector.way(collector.named("ingest.copy")[0]) == ["run.work", "ingest.batch", "ingest.copy"]


def test_a_drop_that_is_quarantined_has_the_reason_in_its_span(site, collector):
    site.put("a.csv", "nothing,here\n1,2\n")
    site.discover()
    (outcome,) = ingest(site, collector)
    (drop,) = collector.named("ingest.drop", state="quarantined")
    assert drop.error == outcome.message[: len(drop.error)]
    assert "visit" in drop.error


def test_a_stage_that_fails_has_the_error(site, collector):
    site.put("a.csv", "nothing,here\n1,2\n")
    site.discover()
    ingest(site, collector)
    (detected,) = collector.named("ingest.detect")
    assert detected.error.startswith("Refused: ")


def test_partitions_in_parallel_are_in_the_runs_trace(site, collector):
    for year in ("2019", "2020"):
        for number in range(3):
            site.put_rows(f"{number}.csv", f"v{number},3,2,1,done", year=year)
    site.discover()
    with span("run.work", run="r"):
        ingest_in_parallel(
            lambda: connect(site.database_url), site.store, site.contract, ["2019", "2020"], "r", threads=2
        )
    collector.flush()
    assert [collector.way(one) for one in collector.named("ingest.batch")] == [["run.work", "ingest.batch"]] * 2


def test_a_listing_that_finds_nothing_new_begins_no_trace(site, collector):
    site.put_rows("a.csv", "v1,3,2,1,done")
    site.put("elsewhere.csv", "x", year="not a year")
    for _ in range(3):
        site.discover()
    collector.flush()
    assert len(collector.named("drop.discovered")) == 1
    assert [one.attributes["new"] for one in collector.named("ingest.discover")] == [2, 0, 0]


def test_a_file_that_was_sent_in_a_trace_is_a_drop_of_that_trace(site, collector):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    with continuing(CALLER):
        sent = Submission(uuid4(), "file", "visits", "2020", "ada", b"f", [])
    jobs.begin_file(site.connection, sent, site.store.url, key, None)
    site.discover()
    ingest(site, collector)
    (drop,) = collector.named("ingest.drop")
    assert drop.trace == Place.read(CALLER).trace
    assert collector.way(drop) == ["drop.discovered", "ingest.drop"]
    assert collector.named("drop.discovered")[0].parent == Place.read(CALLER).span


def test_records_of_several_requests_are_a_drop_of_the_newest_ones_trace_linked_to_the_others(site, collector):
    requests = [f"00-{digit * 32}-{digit * 16}-01" for digit in "abc"]
    for number, caller in enumerate(requests):
        body = json.dumps({"visit": f"v{number}", "persons": 1, "hours": 2, "travel_hours": 1, "outcome": "done"})
        with continuing(caller):
            record = Record("visits", "2020", str(number), body)
            sent = Submission(uuid4(), "records", "visits", "2020", "ada", bytes([number]), [record])
        with site.connection.transaction():
            accept(site.connection, [sent])
    step(site.connection, site.store, lambda dataset: {})
    site.discover()
    ingest(site, collector)
    (found,) = collector.named("drop.discovered")
    *others, newest = [Place.read(one).trace for one in requests]
    assert found.trace == newest
    assert set(others) < set(found.links)
    assert collector.named("ingest.drop", loaded=3)[0].trace == found.trace


def test_a_callers_trace_goes_through_where_nothing_is_traced_here(site):
    key = site.put_rows("a.csv", "v1,3,2,1,done")
    site.put_rows("b.csv", "v2,3,2,1,done")
    with continuing(CALLER):
        sent = Submission(uuid4(), "file", "visits", "2020", "ada", b"f", [])
    jobs.begin_file(site.connection, sent, site.store.url, key, None)
    site.discover()
    assert [drop["traceparent"] for drop in site.drops()] == [CALLER, None]


def test_log_lines_of_a_drop_say_which(site, caplog):
    from lastmile.telemetry.logs import JsonLines

    lines = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.append(json.loads(JsonLines("worker").format(record)))

    logger, handler = logging.getLogger("lastmile.ingestion.worker"), Kept()
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "lastmile.ingestion.worker"):
            site.arrive("a.csv", "v1,3,2,1,done")
    finally:
        logger.removeHandler(handler)
    assert [(line["drop"], line["dataset"]) for line in lines] == [(1, "visits")]
    assert lines[0]["message"] == "landing/visits/2020/a.csv: loaded"
