"""Metrics of spans: every span is counted, by what it was about, within bounds, in as many files as needed at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from lastmile.telemetry.metrics import MOST, Work
from lastmile.telemetry.metrics_files import added_up, folder

#: Forks `workers` processes, so many at once, which wait for one another; each counts one span of seven rows, and every
#: second one is killed.
WORKERS = """
import os, signal, sys
from lastmile.telemetry import metrics_files
from lastmile.telemetry.spans import span
import prometheus_client, lastmile.telemetry.metrics
workers, at_once = int(sys.argv[1]), int(sys.argv[2])
for first in range(0, workers, at_once):
    pids, (ready, says_ready), (go, says_go) = [], os.pipe(), os.pipe()
    for number in range(first, min(first + at_once, workers)):
        if (pid := os.fork()) == 0:
            os.close(says_go)
            metrics_files.start("run")
            os.write(says_ready, b".")
            os.read(go, 1)
            with span("ingest.load", dataset="crop", drop=number) as done:
                done(rows=7, bytes=100)
            if number % 2:
                os.kill(os.getpid(), signal.SIGKILL)
            os._exit(0)
        pids.append(pid)
    for _ in pids:
        os.read(ready, 1)
    for end in (says_go, ready, says_ready, go):
        os.close(end)
    for pid in pids:
        os.waitpid(pid, 0)
"""


@pytest.fixture
def work():
    registry = CollectorRegistry()
    listener = Work(registry)

    def ended(name, seconds=0.01, error=None, **attributes):
        listener.ended(None, name, attributes, seconds, error)

    def value(name, **labels):
        about = dict.fromkeys(("dataset", "model"), "")
        return registry.get_sample_value(f"lastmile_work_{name}", {**about, **labels})

    return registry, ended, value


def run(source, home, *arguments):
    environment = {**os.environ, "LASTMILE_HOME": str(home)}
    subprocess.run([sys.executable, "-c", source, *map(str, arguments)], env=environment, check=True, timeout=300)


def totals(home):
    return {
        (sample.name, sample.labels["work"], sample.labels["dataset"]): sample.value
        for metric in added_up(folder(home))
        for sample in metric.samples
        if "le" not in sample.labels and "error" not in sample.labels
    }


def test_a_span_is_counted_with_its_seconds_rows_and_bytes(work):
    _, ended, value = work
    ended("ingest.load", 0.2, dataset="crop", rows=1000, bytes=52_000)
    ended("ingest.load", 0.4, dataset="crop", rows=500)
    about = {"work": "ingest.load", "dataset": "crop"}
    assert value("seconds_count", **about) == 2
    assert value("seconds_sum", **about) == pytest.approx(0.6)
    assert (value("rows_total", **about), value("bytes_total", **about)) == (1500, 52_000)


def test_work_that_fails_is_counted_by_the_type_of_its_error(work):
    _, ended, value = work
    ended("db.commit", error=ConnectionResetError("secret"))
    assert value("errors_total", work="db.commit", error="ConnectionResetError") == 1
    assert value("seconds_count", work="db.commit") == 1


def test_identifiers_are_never_labels(work):
    registry, ended, _ = work
    for drop in range(1000):
        ended("ingest.load", dataset="crop", drop=drop, run=f"run-{drop}", partition=f"2020-{drop}")
    samples = [sample for metric in registry.collect() for sample in metric.samples if sample.name.endswith("s_count")]
    assert [sample.value for sample in samples] == [1000]


def test_labels_without_end_count_as_other_and_none_is_lost(work):
    registry, ended, value = work
    for number in range(MOST + 50):
        ended("step", model=f"model_{number}")
    ended("quite.new")
    other = dict.fromkeys(("dataset", "model"), "other")
    assert value("seconds_count", work="step", **other) == 50
    assert value("seconds_count", **other, work="other") == 1
    counts = [s for metric in registry.collect() for s in metric.samples if s.name == "lastmile_work_seconds_count"]
    assert sum(sample.value for sample in counts) == MOST + 51


@pytest.mark.parametrize("rows", ["many", None, -3, float("nan")])
def test_what_is_no_count_raises_none(work, rows):
    _, ended, value = work
    ended("ingest.load", rows=rows)
    assert value("rows_total", work="ingest.load") == 0


def test_five_hundred_workers_of_which_half_are_killed_leave_the_files_of_four_and_every_count(tmp_path):
    run(WORKERS, tmp_path, 500, 4)
    files = sorted(file.name for file in folder(tmp_path).iterdir())
    assert len(files) <= 3 * 4, files
    found = totals(tmp_path)
    about = ("ingest.load", "crop")
    assert found["lastmile_work_seconds_count", *about] == 500
    assert found["lastmile_work_rows_total", *about] == 3500
    assert found["lastmile_work_bytes_total", *about] == 50_000


def test_counters_go_on_where_the_process_before_stopped(tmp_path):
    seen = []
    for _ in range(3):
        run(WORKERS, tmp_path, 2, 2)
        seen.append(totals(tmp_path)["lastmile_work_rows_total", "ingest.load", "crop"])
    assert seen == [14, 28, 42]


def test_a_file_that_was_cut_short_stops_no_process_and_no_scrape(tmp_path):
    run(WORKERS, tmp_path, 2, 2)
    for file in folder(tmp_path).glob("*run-0.db"):
        file.write_bytes(file.read_bytes()[:7] + b"\xff" * 50)
    assert totals(tmp_path)["lastmile_work_rows_total", "ingest.load", "crop"] == 7
    run(WORKERS, tmp_path, 2, 2)
    assert totals(tmp_path)["lastmile_work_rows_total", "ingest.load", "crop"] == 21


def test_where_nothing_can_be_counted_the_work_is_done(tmp_path):
    Path(folder(tmp_path)).write_text("no folder")
    run(WORKERS, tmp_path, 1, 1)
    assert folder(tmp_path).is_file()
