"""Connectors, demos and write keys as a person has them: processes of their own, and the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka_broker import RunningBroker
from mqtt_broker import running_mqtt
from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.streaming import demonstrating
from lastmile.streaming.collecting import write_keys
from lastmile.warehouse.connections import connect


@pytest.fixture
def own_kafka(killable_kafka: RunningBroker, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> RunningBroker:
    """A broker whose topics have the names that ship."""
    monkeypatch.setenv("LASTMILE_KAFKA_URL", killable_kafka.servers)
    return killable_kafka


def events_in(kafka: RunningBroker, topic: str) -> list[dict]:
    """All there are, of all partitions."""
    consumer = Consumer({"bootstrap.servers": kafka.servers, "group.id": "watermarks"})
    known = consumer.list_topics(topic, timeout=30).topics[topic]
    if known.error is not None:
        return []
    ends = {
        number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
        for number in known.partitions
    }
    consumer.close()
    return [json.loads(one.value()) for number, end in ends.items() for one in kafka.read(topic, end, number)]


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextmanager
def process(module: str, *arguments: str, end: signal.Signals = signal.SIGTERM) -> Iterator[subprocess.Popen]:
    with subprocess.Popen([sys.executable, "-m", module, *arguments], env=os.environ.copy()) as running:
        try:
            yield running
        finally:
            running.send_signal(end)
            running.wait(30)


def line(number: int) -> str:
    return f'10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /{number} HTTP/1.1" 200 {number} "-" "agent"\n'


def test_a_follower_that_is_killed_goes_on_and_repeats_no_id(own_kafka: RunningBroker, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(map(line, range(200))))
    command = ("lastmile.streaming.tail", "access_log", "--file", str(log))
    with process(*command, end=signal.SIGKILL):
        until(lambda: len(events_in(own_kafka, "access_log")) >= 200)
    with log.open("a") as file:
        file.write("".join(map(line, range(200, 300))))
    with process(*command) as second:
        until(lambda: any(event["bytes"] == 299 for event in events_in(own_kafka, "access_log")))
    assert second.returncode == 0
    by_id = {event["line_id"]: event["bytes"] for event in events_in(own_kafka, "access_log")}
    assert sorted(by_id.values()) == list(range(300))


def test_a_bridge_runs_by_its_name_until_it_is_stopped(
    own_kafka: RunningBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_mqtt(tmp_path) as mqtt:
        monkeypatch.setenv("LASTMILE_MQTT_URL", mqtt.url)
        with process("lastmile.streaming.mqtt", "stations") as bridge:
            for _ in range(100):
                mqtt.publish("stations/north/readings", [b'{"at": "2026-03-01T08:00:00Z", "PM2.5": 7}'])
                if events_in(own_kafka, "station_readings"):
                    break
                time.sleep(0.2)
    assert bridge.returncode == 0
    assert events_in(own_kafka, "station_readings")[0]["station"] == "north"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lastmile.streaming.tail", "nowhere"), "no connector 'nowhere' of kind LogFiles; there are: access_log"),
        (("lastmile.streaming.tail", "access_log"), "names no files: give some, such as --file"),
        (("lastmile.streaming.mqtt", "access_log"), "no connector 'access_log' of kind Mqtt; there are: stations"),
        (("lastmile.streaming.mqtt", "stations"), "set LASTMILE_MQTT_URL"),
    ],
)
def test_a_connector_that_cannot_run_says_what_to_do(own_kafka: RunningBroker, arguments: tuple, said: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_a_demo_fills_the_topic_of_its_stream(own_kafka: RunningBroker) -> None:
    run = CliRunner().invoke
    listed = run(app, ["stream", "demo"])
    assert "page_beacons: visitors of a web site" in listed.output
    sent = run(app, ["stream", "demo", "page_beacons", "--events", "300", "--rate", "1000"])
    assert (sent.exit_code, "300 events are in topic page_beacons" in sent.output) == (0, True), sent.output
    events = events_in(own_kafka, "page_beacons")
    assert len({event["event_id"] for event in events}) == 300
    assert max(event["received_at"] for event in events) <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + "Z"


def test_two_demos_send_different_events(own_kafka: RunningBroker) -> None:
    for _ in range(2):
        assert CliRunner().invoke(app, ["stream", "demo", "page_beacons", "--events", "50"]).exit_code == 0
    assert len({event["event_id"] for event in events_in(own_kafka, "page_beacons")}) == 100


def test_a_demo_says_that_no_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTMILE_KAFKA_URL", "127.0.0.1:1")
    monkeypatch.setattr(demonstrating, "_PATIENCE_SECONDS", 2.0)
    with pytest.raises(UserError, match=r"the broker at 127.0.0.1:1 does not answer: .*(refused|down)"):
        CliRunner().invoke(app, ["stream", "demo", "page_beacons", "--events", "5"], catch_exceptions=False)


def test_a_write_key_is_made_shown_and_revoked(settings: Settings, database_url: str) -> None:
    run = CliRunner().invoke
    made = run(
        app, ["stream", "key", "create", "page_beacons", "--origin", "https://a.org", "--add", "client_ip", "-q"]
    )
    key = made.output.strip()
    with connect(database_url) as connection:
        found = write_keys.find(connection, key)
    assert found is not None
    assert (found.stream, found.topic, found.origins, found.adds) == (
        "page_beacons",
        "page_beacons",
        ["https://a.org"],
        ["client_ip"],
    )
    assert key in run(app, ["stream", "key", "list", "page_beacons"]).output
    assert run(app, ["stream", "key", "revoke", key]).exit_code == 0
    with connect(database_url) as connection:
        assert write_keys.find(connection, key) is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "no stream 'nowhere'"),
        (["page_beacons", "--origin", "shop.example.org"], "expected origins such as https://shop.example.org"),
        (["page_beacons", "--add", "cookies"], "the collector adds client_ip, received_at, user_agent; not cookies"),
    ],
)
def test_a_write_key_that_cannot_be_says_why(
    settings: Settings, database_url: str, arguments: list[str], said: str
) -> None:
    found = CliRunner().invoke(app, ["stream", "key", "create", *arguments])
    assert found.exit_code != 0
    assert said in str(found.exception)
