"""The collector of web pages' events: what it has answered for is in the topic, whatever ends broker or process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka_broker import RunningBroker
from serving.conftest import running
from visits import Site

from lastmile.errors import UserError
from lastmile.streaming.collecting import write_keys

SHOP = "https://shop.example.org"


def events_in(kafka: RunningBroker, topic: str) -> list[Any]:
    consumer = Consumer({"bootstrap.servers": kafka.servers, "group.id": "watermarks"})
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)
    consumer.close()
    return [json.loads(one.value()) for one in kafka.read(topic, end)]


@pytest.fixture
def topic(here: Any, kafka: RunningBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A topic that the API's events go to."""
    monkeypatch.setenv("LASTMILE_KAFKA_URL", kafka.servers)
    monkeypatch.setenv("LASTMILE_COLLECT_FOLDER", str(tmp_path / "collect"))
    return kafka.new_topic()


@pytest.fixture
def collecting(topic: str, here: Any) -> Iterator[Any]:
    """An API that was started with that."""
    with running(here) as api:
        yield api


def new_key(site: Site, topic: str, *origins: str, adds: tuple[str, ...] = ()) -> str:
    return write_keys.create(site.connection, "views", topic, "test", origins, adds).key


def send(api: Any, key: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Type": "text/plain;charset=UTF-8", **headers}
    return api(f"/collect/views?key={key}", "POST", content=content, headers=given)


def test_one_event_or_a_list_of_them_is_in_the_topic_when_it_is_answered(collecting, site, kafka, topic) -> None:
    key = new_key(site, topic)
    assert send(collecting, key, {"page": "/"}).status_code == 204
    more = send(collecting, key, [{"page": "/a"}, {"page": "/b"}], **{"Content-Type": "application/json"})
    assert (more.status_code, more.content) == (204, b"")
    assert events_in(kafka, topic) == [{"page": "/"}, {"page": "/a"}, {"page": "/b"}]
    assert 'lastmile_collected_events_total{stream="views"} 3.0' in collecting("/metrics").text


def test_the_collector_fills_in_what_the_key_says_whatever_the_page_says(collecting, site, kafka, topic) -> None:
    key = new_key(site, topic, adds=("client_ip", "received_at", "user_agent"))
    sent = send(collecting, key, {"page": "/", "client_ip": "8.8.8.8"}, **{"User-Agent": "a browser"})
    (event,) = events_in(kafka, topic)
    assert sent.status_code == 204
    assert event.pop("received_at").endswith("Z")
    assert event == {"page": "/", "client_ip": "127.0.0.1", "user_agent": "a browser"}


def test_a_page_of_another_origin_or_with_another_key_is_refused(collecting, site, kafka, topic) -> None:
    key = new_key(site, topic, SHOP)
    allowed = send(collecting, key, {"page": "/"}, Origin=SHOP)
    assert allowed.headers["access-control-allow-origin"] == SHOP
    assert send(collecting, key, {"page": "/x"}, Origin="https://evil.example").status_code == 403
    for unknown in ("wk_unknown", "unknown", ""):
        assert send(collecting, unknown, {"page": "/x"}).status_code == 401
    assert collecting("/collect/views", "POST", content=b"{}").status_code == 401
    other = collecting(f"/collect/orders?key={key}", "POST", content=b"{}")
    assert other.status_code == 401
    assert events_in(kafka, topic) == [{"page": "/"}]


def test_a_browser_that_looks_before_it_sends_json_is_let_in(collecting, site, topic) -> None:
    key = new_key(site, topic, SHOP)
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answer = collecting(f"/collect/views?key={key}", "OPTIONS", headers=asked)
    assert answer.status_code == 204
    said = {name: answer.headers[f"access-control-allow-{name}"] for name in ("origin", "methods", "headers")}
    assert said == {"origin": SHOP, "methods": "POST", "headers": "Content-Type"}
    other = collecting(f"/collect/views?key={key}", "OPTIONS", headers={**asked, "Origin": "https://evil.example"})
    assert other.status_code == 403


def test_a_revoked_key_is_void(here, site, topic) -> None:
    key = new_key(site, topic)
    write_keys.revoke(site.connection, key, "test")
    with running(here) as api:
        assert send(api, key, {"page": "/"}).status_code == 401
    with pytest.raises(UserError, match="no write key"):
        write_keys.revoke(site.connection, key, "test")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"7", b"[]", b'[{"a": 1}, 7]', b"[" + b"{}," * 1_000 + b"{}]"])
def test_a_body_that_is_no_event_is_refused_as_a_whole(collecting, site, kafka, topic, body) -> None:
    assert send(collecting, new_key(site, topic), body).status_code == 422
    assert events_in(kafka, topic) == []


def test_a_long_body_and_too_many_requests_are_refused(here, site, topic, monkeypatch) -> None:
    monkeypatch.setenv("LASTMILE_COLLECT_BYTES", "100")
    monkeypatch.setenv("LASTMILE_COLLECT_RATE", "3/minute")
    key = new_key(site, topic)
    with running(here) as api:
        statuses = [send(api, key, {"page": "/" * length}).status_code for length in (200, 10, 10, 10)]
        chunked = httpx.post(f"{api.url}/collect/views?key={new_key(site, topic)}", content=iter([b"x" * 60] * 2))
    assert (statuses, chunked.status_code) == ([413, 204, 204, 429], 413)


def test_events_are_answered_for_while_the_broker_is_away_and_arrive_when_it_is_back(
    here, site, killable_kafka, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("LASTMILE_KAFKA_URL", killable_kafka.servers)
    monkeypatch.setenv("LASTMILE_COLLECT_FOLDER", str(tmp_path / "collect"))
    topic = killable_kafka.new_topic()
    key = new_key(site, topic)
    with running(here) as api:
        assert send(api, key, {"n": 0}).status_code == 204
        killable_kafka.kill()
        assert [send(api, key, {"n": n}).status_code for n in range(1, 20)] == [204] * 19
        killable_kafka.start()
        _until(lambda: len(events_in(killable_kafka, topic)) == 20)
    assert events_in(killable_kafka, topic) == [{"n": n} for n in range(20)]


def test_more_than_may_wait_is_refused_with_when_to_come_again(here, site, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("LASTMILE_KAFKA_URL", "127.0.0.1:1")
    monkeypatch.setenv("LASTMILE_COLLECT_FOLDER", str(tmp_path / "collect"))
    monkeypatch.setenv("LASTMILE_COLLECT_BUFFER_BYTES", "300")
    key = new_key(site, "views")
    with running(here) as api:
        answers = [send(api, key, {"text": "x" * 100}) for _ in range(4)]
    assert [one.status_code for one in answers] == [204, 204, 503, 503]
    assert (answers[-1].headers["retry-after"], "wait for the broker already" in answers[-1].text) == ("5", True)


def test_what_a_killed_api_had_answered_for_is_sent_by_the_next(site, killable_kafka, tmp_path, monkeypatch) -> None:
    topic = killable_kafka.new_topic()
    key = new_key(site, topic)
    killable_kafka.kill()
    more = {
        "LASTMILE_DATABASE_URL": site.database_url,
        "LASTMILE_KAFKA_URL": killable_kafka.servers,
        "LASTMILE_COLLECT_FOLDER": str(tmp_path / "collect"),
    }
    with _process(more) as url:
        sent = [httpx.post(f"{url}/collect/views?key={key}", json={"n": n}, timeout=20) for n in range(5)]
    assert [one.status_code for one in sent] == [204] * 5
    killable_kafka.start()
    with _process(more):
        _until(lambda: len(events_in(killable_kafka, topic)) == 5)
    assert events_in(killable_kafka, topic) == [{"n": n} for n in range(5)]


@contextmanager
def _process(more: dict[str, str]) -> Iterator[str]:
    """An API in a process of its own, killed at the end; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "lastmile.serving", str(port)], env={**os.environ, **more})
    url = f"http://127.0.0.1:{port}"
    try:
        _until(lambda: process.poll() is not None or _answers(url))
        yield url
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _until(holds: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
