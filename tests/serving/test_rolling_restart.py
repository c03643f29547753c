"""The API restarted under load on one port: nothing is refused, nothing that was answered for is lost."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest
from api_process import ApiProcess, api_process
from end_to_end.installation import wait_for
from fields import FIELDS, YIELD
from learned import learned
from sending import GOOD, RECORDS, all_written, ingested, until
from visits import HEADER, Site

from lastmile.access import keys
from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.published import publish
from lastmile.serving.state import Serving

#: Between a client's requests: the process that comes up needs the processor, too.
_PAUSE_SECONDS = 0.02
FILES = "/datasets/visits/files?partition=2020"


class Clients:
    """Threads that send requests without end. `answered` counts statuses, `broken` the connections that ended without
    an answer, after which the same request is sent once more."""

    def __init__(self, url: str) -> None:
        self.answered: Counter[int] = Counter()
        self.broken: Counter[str] = Counter()
        self._url, self._stopping = f"{url}/api/v1", threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, key: str, send: Callable[[httpx.Client, int], httpx.Response], keeps: bool) -> None:
        thread = threading.Thread(target=self._run, args=(key, send, keeps))
        self._threads.append(thread)
        thread.start()

    def _run(self, key: str, send: Callable[[httpx.Client, int], httpx.Response], keeps: bool) -> None:
        headers, number = {"Authorization": f"Bearer {key}"}, 0
        limits = httpx.Limits(max_keepalive_connections=None if keeps else 0)
        with httpx.Client(base_url=self._url, headers=headers, timeout=60, limits=limits) as http:
            while not self._stopping.is_set():
                try:
                    answer = send(http, number)
                except httpx.TransportError as error:
                    self.broken[type(error).__name__] += 1
                    continue
                self.answered[answer.status_code] += 1
                number += 1
                time.sleep(_PAUSE_SECONDS)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def known(site: Site, here: Serving) -> object:
    found = learned(site.connection, here.store)
    publish(site.connection, catalogue([site.contract], [FIELDS], [YIELD]))
    return found


@pytest.fixture
def device_key(site: Site, here: Serving) -> str:
    return keys.create(site.connection, here.secret, "tablet", "device", "test", datasets=["visits"])[0]


@contextmanager
def replaced(process: ApiProcess, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A further process on the same port, which ends the one before."""
    command = [sys.executable, "-m", "lastmile.serving", str(process.port), "--replace"]
    started = subprocess.Popen(command, env=os.environ | variables)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def listens(process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None
    return any(at.status == psutil.CONN_LISTEN for at in psutil.Process(process.pid).net_connections("tcp"))


def test_a_rolling_restart_under_load_refuses_nothing_and_loses_nothing(
    site: Site, here: Serving, known: object, device_key: str
) -> None:
    analyst = keys.create(site.connection, here.secret, "an analyst", "analyst", "test")[0]
    accepted: set[str] = set()
    row = known.row(1)  # type: ignore[attr-defined]
    variables = {"LASTMILE_RATE_LIMIT": "100000/second", "LASTMILE_DATABASE_URL": site.database_url}

    def records(client: str) -> Callable[[httpx.Client, int], httpx.Response]:
        def send(http: httpx.Client, number: int) -> httpx.Response:
            visit = f"r{client}-{number}"
            answer = http.post(RECORDS, json=GOOD | {"visit": visit, "_id": visit}, headers={"Idempotency-Key": visit})
            accepted.add(visit)
            return answer

        return send

    def files(client: str) -> Callable[[httpx.Client, int], httpx.Response]:
        def send(http: httpx.Client, number: int) -> httpx.Response:
            def body() -> Iterator[bytes]:
                yield f"{HEADER}\n".encode()
                for line in range(3):  # an upload that takes longer than the moment of the change
                    time.sleep(0.1)
                    yield f"f{client}-{number}-{line},3,2,1,done\n".encode()

            answer = http.post(FILES, content=body(), headers={"Idempotency-Key": f"f{client}-{number}"})
            accepted.update(f"f{client}-{number}-{line}" for line in range(3))
            return answer

        return send

    def predictions(http: httpx.Client, number: int) -> httpx.Response:
        return http.post("/models/fields/predict", json={"row": row})

    with api_process(**variables) as process:
        clients = Clients(process.url)
        for client in ("a", "b", "c"):
            clients.start(device_key, records(client), keeps=client != "c")
        clients.start(device_key, files("d"), keeps=True)
        for keeps in (True, False):
            clients.start(analyst, predictions, keeps)
        time.sleep(1)
        with replaced(process, variables) as second:
            assert process.process is not None
            first_ended = process.process.wait(240)
            began = time.monotonic()
            with replaced(process, variables) as third:
                second.wait(240)
                ended_after = time.monotonic() - began
                time.sleep(1)
                clients.stop()
                assert listens(third)
                until(lambda: all_written(site))  # by the third, as long as it lives
        ingested(site)
    assert first_ended == -signal.SIGTERM
    assert {status for status in clients.answered if status >= 400} == set(), clients.answered
    assert clients.answered[200] > 50
    assert clients.answered[202] > 50
    assert clients.broken["ConnectError"] == 0, clients.broken
    visits = site.visits()
    assert len(visits) == len(set(visits))
    assert accepted <= set(visits)
    print(dict(clients.answered), dict(clients.broken), f"the second ended {ended_after:.1f} s after the third began")


def test_it_is_not_ready_first_and_accepts_for_as_long_as_a_balancer_needs(
    site: Site, monkeypatch: pytest.MonkeyPatch, here: Serving
) -> None:
    monkeypatch.setenv("LASTMILE_DRAIN_SECONDS", "3")
    with api_process(LASTMILE_DATABASE_URL=site.database_url) as process:
        assert httpx.get(f"{process.url}/api/v1/health/ready").status_code == 200
        assert process.process is not None
        process.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        answer = wait_for(lambda: unready(process.url), 2.5, every=0.05)
        assert "about to end" in answer.json()["detail"]
        assert answer.headers["connection"] == "close"
        assert httpx.get(f"{process.url}/api/v1/health/live").status_code == 200
        process.process.wait(30)
        assert 3 <= time.monotonic() - began < 10


def unready(url: str) -> httpx.Response | None:
    answer = httpx.get(f"{url}/api/v1/health/ready")
    return answer if answer.status_code == 503 else None


def test_an_upload_under_way_is_finished_and_one_that_stalls_ends_with_the_grace(
    site: Site, here: Serving, device_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LASTMILE_GRACE_SECONDS", "4")
    headers = {"Authorization": f"Bearer {device_key}"}
    with api_process(LASTMILE_DATABASE_URL=site.database_url) as process:
        assert process.process is not None

        def body() -> Iterator[bytes]:
            yield f"{HEADER}\n".encode()
            process.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
            for line in range(10):
                time.sleep(0.1)
                yield f"v{line},3,2,1,done\n".encode()

        with socket.create_connection(("127.0.0.1", process.port)) as stalled:
            stalled.sendall(
                f"POST /api/v1{FILES} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {device_key}\r\n"
                "Content-Length: 1000\r\n\r\nvisit".encode()
            )
            time.sleep(0.5)
            began = time.monotonic()
            answer = httpx.post(f"{process.url}/api/v1{FILES}", content=body(), headers=headers, timeout=30)
            assert answer.status_code == 202
            process.process.wait(30)
        assert 3 < time.monotonic() - began < 12
    ingested(site)
    assert len(site.visits()) == 10


def test_a_port_of_another_program_is_not_shared() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "lastmile.serving", str(port)]
        variables = os.environ | {"LASTMILE_DATABASE_URL": "postgresql://u@127.0.0.1:9/d"}
        ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another port" in ended.stderr
