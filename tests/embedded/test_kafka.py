"""The embedded broker is started only where it is named, kept up, and known to every process of its home."""

import os
import signal
import time
from pathlib import Path

import pytest
from kafka_broker import RunningBroker
from typer.testing import CliRunner

from lastmile.cli.app import app
from lastmile.embedded import kafka
from lastmile.embedded.ports import Ports
from lastmile.embedded.services import Service, services, surroundings
from lastmile.embedded.supervisor import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Deaths, Supervisor
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.group import load
from lastmile.settings.kafka import KafkaSettings, SchemaRegistrySettings


def names(settings: Settings, ports: Ports | None, streams: tuple[str, ...] = ()) -> list[str]:
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    return [service.name for service in services(settings, ports, streams)]


def test_broker_and_consumers_are_started_only_where_they_are_named(settings: Settings) -> None:
    assert not {"kafka-broker", "stream-views"} & set(names(settings, Ports(1, 2, 3)))
    assert {"kafka-broker", "stream-views"} <= set(names(settings, Ports(1, 2, 3, 4), ("views",)))
    assert "kafka-broker" not in names(settings, Ports(1, 2, 3), ("views",))


def test_every_process_of_the_home_knows_the_broker_and_a_cluster_that_is_given_comes_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(settings.given_database_url)
    assert kafka.URL not in surroundings(settings, url)
    kafka.note(settings, 9092)
    assert surroundings(settings, url)[kafka.URL] == "127.0.0.1:9092"
    monkeypatch.setenv(kafka.URL, "127.0.0.1:9092")  # as `lastmile env` puts it there
    assert kafka.given_servers(settings) is None
    monkeypatch.setenv(kafka.URL, "kafka.example.org:9092")
    assert kafka.given_servers(settings) == "kafka.example.org:9092"
    assert kafka.URL not in surroundings(settings, url)
    kafka.note(settings, None)
    assert kafka.own_servers(settings) is None


def test_a_broker_that_dies_is_started_again_with_what_it_had(tmp_path: Path) -> None:
    broker, said = RunningBroker(tmp_path / "kafka"), []
    supervisor = Supervisor(tmp_path / "logs", dict(os.environ), tmp_path / "processes.json", said.append)

    arguments = [str(broker.port), str(broker.folder)]
    supervisor.start([Service("kafka-broker", "lastmile.embedded.broker", arguments, broker.port, is_vital=False)])
    try:
        supervisor.wait_until_up()
        topic = broker.new_topic()
        broker.send(topic, [b"kept"])
        os.kill(supervisor._kept[0].process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while not said and time.monotonic() < deadline:
            supervisor.revive()
            time.sleep(0.1)
        supervisor.wait_until_up()
        assert "the kafka-broker had ended and is started again" in said[0]
        assert [one.value() for one in broker.read(topic, 1)] == [b"kept"]
    finally:
        supervisor.stop()


def test_what_is_not_vital_is_started_again_however_often_it_dies_at_growing_intervals(tmp_path: Path) -> None:
    deaths = Deaths("stream-views", tmp_path / "log", is_vital=False)
    waits = [deaths.note(lived=0.1) for _ in range(20)]
    assert waits[:3] == [FIRST_WAIT_SECONDS, 2 * FIRST_WAIT_SECONDS, 4 * FIRST_WAIT_SECONDS]
    assert waits[-1] == LONGEST_WAIT_SECONDS
    vital = Deaths("daemon", tmp_path / "log", quick=5)
    with pytest.raises(UserError, match="has ended 6 times"):
        vital.note(lived=0.1)


def test_a_platform_that_ends_by_itself_has_no_streams(home: Path) -> None:
    done = CliRunner().invoke(app, ["up", "--once", "--with", "kafka"])
    assert isinstance(done.exception, UserError)
    assert "streams have no end" in str(done.exception)


def test_settings_become_those_of_librdkafka(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lastmile up --with kafka"):
        load(KafkaSettings).client()
    given = {
        "LASTMILE_KAFKA_URL": "kafka://a:9092,b:9093",
        "LASTMILE_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
        "LASTMILE_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "LASTMILE_KAFKA_SASL_USERNAME": "me",
        "LASTMILE_KAFKA_SASL_PASSWORD": "secret",
        "LASTMILE_KAFKA_SSL_CA": str(tmp_path / "ca.pem"),
        "LASTMILE_KAFKA_OPTIONS": "client.rack=a,socket.keepalive.enable=true",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load(KafkaSettings).client() == {
        "bootstrap.servers": "a:9092,b:9093",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": "secret",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
        "client.rack": "a",
        "socket.keepalive.enable": "true",
    }
    for name, wrong in (("URL", "nowhere"), ("SECURITY_PROTOCOL", "open"), ("OPTIONS", "alone")):
        with pytest.raises(UserError, match=f"LASTMILE_KAFKA_{name}"):
            load(KafkaSettings, {f"LASTMILE_KAFKA_{name}": wrong})


def test_a_registry_is_reached_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    url = {"LASTMILE_SCHEMA_REGISTRY_URL": "https://registry.example.org"}
    key = {"LASTMILE_SCHEMA_REGISTRY_KEY": "k", "LASTMILE_SCHEMA_REGISTRY_SECRET": "s"}
    assert load(SchemaRegistrySettings, {}).client() is None
    assert load(SchemaRegistrySettings, {**url, **key}).client() == {
        "url": "https://registry.example.org",
        "basic.auth.user.info": "k:s",
    }
    with pytest.raises(UserError, match="set both"):
        load(SchemaRegistrySettings, {**url, "LASTMILE_SCHEMA_REGISTRY_KEY": "k"})
