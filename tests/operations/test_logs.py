"""Lines of all processes about a drop, a run, a dataset or a trace, in the order of time."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lastmile.errors import UserError
from lastmile.operations.logs.files import LogFiles
from lastmile.operations.logs.line import Line, Wanted
from lastmile.orchestration.gathered_logs import gathered
from lastmile.settings import Settings
from lastmile.telemetry.spans import Place, continuing

START = datetime(2026, 3, 1, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"


def write(folder, process, *lines):
    """Each line is its message, seconds after the start, and ids; `level` is one of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{process}.jsonl").open("a") as file:
        for message, seconds, ids in lines:
            about = {"level": "info", "process": process, "message": message} | ids
            file.write(json.dumps({"time": (START + timedelta(seconds=seconds)).isoformat(), **about}) + "\n")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "logs"
    write(
        folder, "worker",
        ("begun", 2, {"run": "abc-1", "drop": 7, "dataset": "crop", "trace": TRACE}),
        ("odd", 4, {"run": "abc-1", "drop": 8, "dataset": "lstk", "trace": "b" * 32, "level": "warning"}),
        ("step", 5, {"run": "abc-1", "trace": TRACE}),
    )  # fmt: skip
    write(folder, "api", ("asked", 1, {"request": "r", "trace": TRACE}), ("late", 9, {}))
    return folder


def messages(folder, **wanted):
    return [line.message for line in LogFiles(folder).new_lines(Wanted(**wanted))]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["asked", "begun", "odd", "step", "late"]),
        ({"run": "abc"}, ["begun", "odd", "step"]),
        ({"drop": 7}, ["begun"]),
        ({"drop": 7, "traces": frozenset({TRACE})}, ["asked", "begun", "step"]),
        ({"dataset": "lstk"}, ["odd"]),
        ({"trace": TRACE[:8]}, ["asked", "begun", "step"]),
        ({"process": "api"}, ["asked", "late"]),
        ({"since": START + timedelta(seconds=5)}, ["step", "late"]),
        ({"level": "warning"}, ["odd"]),
        ({"run": "abc", "level": "warning"}, ["odd"]),
        ({"drop": 99}, []),
    ],
)
def test_the_lines_wanted_are_shown_in_the_order_of_time(folder, wanted, found):
    assert messages(folder, **wanted) == found


def test_what_is_added_is_found_once_also_after_a_file_was_renamed(folder):
    files = LogFiles(folder)
    assert len(files.new_lines(Wanted())) == 5
    assert files.new_lines(Wanted()) == []
    write(folder, "api", ("more", 10, {}))
    (folder / "api.jsonl").rename(folder / "api.1.jsonl")
    write(folder, "api", ("most", 11, {}))
    assert [line.message for line in files.new_lines(Wanted())] == ["more", "most"]


def test_a_line_that_a_killed_process_left_half_is_passed_over(folder):
    with (folder / "api.jsonl").open("a") as file:
        file.write('{"time": "2026-03')
    assert len(messages(folder)) == 5
    write(folder, "api", ("after", 12, {}))
    assert messages(folder)[-1] == "late"  # the half line took the one that followed with it


def test_a_line_is_readable_and_tells_ids_by_how_they_begin(folder):
    (line,) = LogFiles(folder).new_lines(Wanted(drop=7))
    assert line.as_text().endswith(f"INFO    worker      begun  [run=abc-1 drop=7 dataset=crop trace={TRACE[:8]}]")
    assert Line.read(line.as_json()) == replace(line)


def test_a_drops_lines_are_those_of_its_trace_and_what_the_ledger_recorded(site):
    with continuing(f"00-{TRACE}-b7ad6b7169203331-01"):
        from uuid import uuid4

        from lastmile.ingestion.submissions import Submission, jobs

        sent = Submission(uuid4(), "file", "visits", "2020", "ada", b"f", [])
    jobs.begin_file(site.connection, sent, site.store.url, site.put_rows("a.csv", "v1,3,2,1,done"), None)
    site.discover()
    site.take()
    settings = Settings.from_environment()
    write(settings.home / "logs", "api", ("asked", 1, {"trace": TRACE}), ("other", 2, {"trace": "c" * 32}))
    (lines,) = gathered(settings, site.connection, site.store.url, Wanted(drop=1))
    assert [line.message for line in lines] == ["asked", "discovered", "claimed", "loaded"]
    assert Place.read(site.drops()[0]["traceparent"]).trace == TRACE
    with pytest.raises(UserError, match="there is no drop 99"):
        next(gathered(settings, site.connection, site.store.url, Wanted(drop=99)))


def test_without_a_database_the_files_are_shown(folder):
    (lines,) = gathered(Settings(Path(folder.parent), None, "", ""), None, "", Wanted())
    assert len(lines) == 5
