"""All streams of an installation, kept up by one process, as a container has them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from kafka_broker import RunningBroker
from streamed import message, sale
from streaming.test_process import CONTRACT, STREAM

from lastmile.settings import Settings
from lastmile.streaming.consumers import consume
from lastmile.warehouse.connections import connect


@pytest.fixture
def topics(kafka: RunningBroker, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Those of two streams which a project declares, next to one that is broken."""
    package, found = tmp_path / "two_shops", {}
    for folder in ("", "sales", "sales/contracts", "sales/streams"):
        (package / folder).mkdir(exist_ok=True)
        (package / folder / "__init__.py").touch()
    (package / "sales/contracts/sales.py").write_text(CONTRACT)
    for name in ("east", "west"):
        found[name] = kafka.new_topic(1)
        text = STREAM.format(topic=found[name]).replace('name="sales"', f'name="{name}"').replace("takings", name)
        (package / f"sales/streams/{name}.py").write_text(text)
    (package / "sales/streams/broken.py").write_text(STREAM.format(topic="t").replace('"at"', '"when"'))
    monkeypatch.setenv("LASTMILE_ASSETS", package.name)
    monkeypatch.setenv("LASTMILE_KAFKA_URL", kafka.servers)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return found


@pytest.fixture
def started(topics: dict[str, str], tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """The process that compose.yaml starts."""
    with (tmp_path / "consumers.log").open("wb") as log:
        command = [sys.executable, "-m", "lastmile.streaming.consumers"]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def wait_for(found: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_each_declared_stream_is_read_and_one_that_is_killed_is_read_again(
    kafka: RunningBroker,
    topics: dict[str, str],
    database_url: str,
    started: "subprocess.Popen[bytes]",
    tmp_path: Path,
) -> None:
    def events() -> dict[str, int]:
        with connect(database_url) as connection:
            rows = connection.execute("SELECT stream, sum(events)::int FROM streams.positions GROUP BY 1").fetchall()
        return dict(rows)

    for number, topic in enumerate(topics.values(), 1):
        kafka.send(topic, [message(sale(one, one)) for one in range(10 * number)])
    wait_for(lambda: events() == {"east": 10, "west": 20})
    with connect(database_url) as connection:
        rows = connection.execute("SELECT pid FROM streams.consumers WHERE stream = 'west'").fetchall()
    os.kill(rows[0][0], signal.SIGKILL)
    kafka.send(topics["west"], [message(sale(one, one)) for one in range(20, 25)])
    wait_for(lambda: events() == {"east": 10, "west": 25})
    started.send_signal(signal.SIGTERM)
    assert started.wait(60) == 0
    with connect(database_url) as connection:
        left = connection.execute("SELECT stream FROM streams.consumers WHERE pid <> %s", [rows[0][0]]).fetchall()
    assert left == [], "each has left its group"
    said = (tmp_path / "consumers.log").read_text()
    assert "the process of stream west ended with -9 and is started again" in said
    assert "event_time 'when' must be a timestamp" in said


def test_a_process_that_ends_at_once_is_started_again_after_longer_and_longer_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr("lastmile.streaming.consumers._FIRST_WAIT", 0.05)
    starts, stop = tmp_path / "starts", threading.Event()
    command = [sys.executable, "-S", "-c", f"import time; open({str(starts)!r}, 'a').write(f'{{time.time()}}\\n')"]
    running = threading.Thread(target=consume, args=[["one"], stop, lambda _: command])
    running.start()
    wait_for(lambda: starts.exists() and len(starts.read_text().splitlines()) >= 6)
    stop.set()
    running.join(30)
    times = [float(line) for line in starts.read_text().splitlines()]
    waits = [after - before for before, after in pairwise(times)]
    assert waits[-1] > 2 * waits[0] > 0
