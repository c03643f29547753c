"""Each process logs lines of JSON that say what they are about, into files that stay small."""

import io
import json
import logging
import subprocess
import sys

import pytest

from lastmile.settings.telemetry import TelemetrySettings
from lastmile.telemetry import logs
from lastmile.telemetry.log_files import SharedFile, all_of
from lastmile.telemetry.spans import about, continuing

HERE = f"00-{'a' * 32}-{'b' * 16}-01"
MANY = """
import logging, sys
from pathlib import Path
from lastmile.telemetry.log_files import SharedFile

handler = SharedFile(Path(sys.argv[1]), most_bytes=20_000, kept=200)
logging.getLogger().addHandler(handler)
for number in range(2_000):
    logging.warning("%s %s %s", sys.argv[2], number, "x" * 60)
"""


@pytest.fixture
def log():
    """A logger whose lines of JSON are read as they were written."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonLines("worker"))
    logger = logging.getLogger("a.room")
    logger.addHandler(handler)
    logger.lines = lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    yield logger
    logger.removeHandler(handler)


def test_a_line_says_what_it_is_about(log):
    with about(run="r", drop=7, dataset="crop"), continuing(HERE):
        log.warning("%s rows", 12)
    (line,) = log.lines()
    assert line["time"].endswith("+00:00")
    wanted = {"level": "warning", "process": "worker", "logger": "a.room", "message": "12 rows"}
    wanted |= {"run": "r", "drop": 7, "dataset": "crop", "trace": "a" * 32, "span": "b" * 16}
    assert {name: line[name] for name in wanted} == wanted


def test_a_line_has_its_error_and_stays_one_line(log):
    try:
        raise ValueError("two\nlines")  # noqa: TRY301
    except ValueError:
        log.exception("it failed\nbadly")
    (line,) = log.lines()
    assert line["message"] == "it failed\nbadly"
    assert "ValueError: two\nlines" in line["error"]


def test_what_is_no_json_is_written_as_text(log):
    with about(run=object):
        log.warning("odd")
    assert log.lines()[0]["run"] == str(object)


def test_full_files_are_renamed_and_the_oldest_is_gone(tmp_path):
    handler = SharedFile(tmp_path / "api.jsonl", most_bytes=1_000, kept=2)
    for number in range(200):
        handler.handle(logging.makeLogRecord({"msg": f"{number:090}"}))
    files = all_of(tmp_path)
    assert [file.name for file in files] == ["api.2.jsonl", "api.1.jsonl", "api.jsonl"]
    assert all(file.stat().st_size <= 1_000 for file in files)
    kept = [int(line) for file in files for line in file.read_text().splitlines()]
    assert kept == list(range(200 - len(kept), 200))


def test_processes_that_share_a_file_lose_no_line_when_it_is_full(tmp_path):
    path = tmp_path / "worker.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", MANY, path, str(number)]) for number in range(3)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    lines = [line.split()[:2] for file in all_of(tmp_path) for line in file.read_text().splitlines()]
    for writer in range(3):
        assert [int(number) for who, number in lines if who == str(writer)] == list(range(2_000))


def test_a_folder_that_cannot_be_written_costs_lines_only(tmp_path):
    (tmp_path / "logs").write_text("a file")
    handler = SharedFile(tmp_path / "logs" / "api.jsonl")
    handler.handle(logging.makeLogRecord({"msg": "lost"}))
    assert (tmp_path / "logs").read_text() == "a file"


@pytest.mark.parametrize("form", ["json", "text"])
def test_standard_error_has_the_form_that_is_set(tmp_path, form):
    code = """
import logging
from lastmile import telemetry
from lastmile.telemetry.spans import about

telemetry.start("api")
with about(drop=7):
    logging.getLogger("uvicorn.error").warning("slow")
"""
    environment = {"LASTMILE_HOME": str(tmp_path), "LASTMILE_LOG_FORMAT": form}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    (in_file,) = (tmp_path / "logs" / "api.jsonl").read_text().splitlines()
    assert json.loads(in_file)["message"] == "slow"
    if form == "json":
        assert json.loads(said.stderr) == json.loads(in_file)
    else:
        assert said.stderr.rstrip().endswith("WARNING uvicorn.error: slow [drop=7]")


def test_loggers_of_libraries_hand_their_lines_on():
    logger = logging.getLogger("dagster.daemon")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    logs.adopt("dagster.daemon")
    assert (logger.handlers, logger.propagate) == ([], True)


def test_a_level_that_is_none_is_refused_with_those_there_are():
    from lastmile.errors import UserError
    from lastmile.settings.group import load

    with pytest.raises(UserError, match="LASTMILE_LOG_LEVEL"):
        load(TelemetrySettings, {"LASTMILE_LOG_LEVEL": "loud"})
