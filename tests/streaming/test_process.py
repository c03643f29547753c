"""A consumer as a process of its own, as it is declared in a file, and what the command line says of it."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka_broker import RunningBroker
from streamed import message, sale
from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.streaming.status import statuses
from lastmile.warehouse.connections import connect

CONTRACT = """
from datetime import date, datetime
import pandera.polars as pa
from lastmile.contracts import Contract, Partition, field

class Sales(pa.DataFrameModel):
    sale: str = field("Number.")
    at: datetime = field("When.")
    shop: str = field("Where.")
    cents: int = field("Paid.", ge=0)
    note: str | None = field("Anything.")

contract = Contract(name="sales", schema=Sales, description="Sales.", owner="team:shop",
                    partition=Partition("day", start=date(2026, 1, 1)))
"""
STREAM = """
from datetime import timedelta
import polars as pl
from lastmile.streaming import Stream, Tumbling

stream = Stream(
    name="sales", description="Sales.", owner="team:shop", topic="{topic}", contract="sales", event_time="at",
    lateness=timedelta(minutes=1),
    windows=(Tumbling(name="takings", every=timedelta(hours=1), values={{"sales": pl.len()}}),),
)
"""


@pytest.fixture
def topic(kafka: RunningBroker, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """That of the stream which a project declares."""
    name = kafka.new_topic(2)
    package = tmp_path / "corner_shop"
    for folder in ("", "sales", "sales/contracts", "sales/streams"):
        (package / folder).mkdir(exist_ok=True)
        (package / folder / "__init__.py").touch()
    (package / "sales/contracts/sales.py").write_text(CONTRACT)
    (package / "sales/streams/sales.py").write_text(STREAM.format(topic=name))
    (package / "sales/streams/broken.py").write_text(STREAM.format(topic=name).replace('"at"', '"when"'))
    for variable, value in {
        "LASTMILE_ASSETS": package.name,
        "LASTMILE_KAFKA_URL": kafka.servers,
        "PYTHONPATH": str(tmp_path),
    }.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return name


def consumer(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "lastmile.streaming.consumer", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["stream", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_declared_stream_is_read_by_a_process_until_sigterm(
    kafka: RunningBroker, topic: str, settings: Settings, database_url: str
) -> None:
    kafka.send(topic, [message(sale(number, number)) for number in range(50)] + [b"{" * 3_000])
    process = consumer("sales")
    with connect(database_url) as connection:
        deadline = time.monotonic() + 60
        while not any(one.events == 50 for one in statuses(connection)):
            assert time.monotonic() < deadline
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.2)
        (found,) = statuses(connection)
        assert (found.consumers, found.lag, found.quarantined) == (1, 0, 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert statuses(connection)[0].consumers == 0
    shown = json.loads(said("status", "sales", "--json"))
    assert (shown["streams"][0]["events"], len(shown["partitions"])) == (50, 2)
    assert "50" in said("status", "sales")
    (rule,) = json.loads(said("quarantine", "--json"))["rules"]
    assert (rule["rule"], rule["messages"]) == ("message", 1)
    assert "and 2,000 characters more" in said("quarantine", "sales", "--rows", "1")
    assert "{" * 3_000 in said("quarantine", "sales", "--rows", "1", "--json")


def test_a_stream_is_read_from_the_command_line(kafka: RunningBroker, topic: str, settings: Settings) -> None:
    kafka.send(topic, [message(sale(number, number)) for number in range(7)])
    assert "7 events committed" in said("run", "sales", "--until-caught-up")
    listed = json.loads(said("list", "--json"))
    assert [(one["name"], one["topic"], one["windows"]) for one in listed] == [("sales", topic, ["takings"])]
    assert {"sales", topic, "takings"} <= set(said("list").split())  # whatever the terminal's width
    assert f"{datetime.now(UTC):%Y-%m-%d}" in said("status").splitlines()[1]
    assert "event_time 'when' must be a timestamp" in said("list")


def test_a_stream_that_is_not_declared_is_said_with_those_that_are(topic: str, settings: Settings) -> None:
    process = consumer("sails")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "no stream 'sails'; there are: sales" in errors
    with pytest.raises(UserError, match="no stream 'sails'; there are: sales"):
        said("status", "sails")
    assert "stream sales was not read yet" in said("status", "sales")


def test_a_broker_that_does_not_answer_is_said_once(
    topic: str, settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTMILE_KAFKA_URL", "127.0.0.1:1")
    process = consumer("sales")
    deadline = time.monotonic() + 60
    while "sales: broker: " not in said("status"):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.2)
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert errors.count("Connection refused") + errors.count("brokers are down") == 1


def test_without_a_broker_it_is_said_what_to_set(
    topic: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LASTMILE_KAFKA_URL")
    assert "LASTMILE_KAFKA_URL" not in os.environ
    process = consumer("sales")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "LASTMILE_KAFKA_URL is not set" in errors
