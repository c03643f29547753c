"""Drops in over HTTP: single records, batches, a large file; and that what was accepted is there."""

import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.load import load
from benchmarks.serving.servers import Running, Server, started
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect

#: A record of the household survey; its id is another one each time.
RECORD = '{"hhid": "BENCH_@@", "id_form": "ke_bench_2020", "year": 2020, "country": "KE", "hh_size_members": 5}'
_RECORDS = "/api/v1/datasets/hhinfo/records?partition=2020"
_FILES = "/api/v1/datasets/hhinfo/files?partition=2020&name=bench.csv"
_FILE_MB, _BATCH = 200, 1_000


@dataclass(frozen=True)
class Ingest:
    """`more_mb` is what the process held at most above what it held before."""

    what: str
    connections: int
    per_second: float | None
    p99_ms: float
    more_mb: float
    note: str


def ingest(settings: Settings, server: Server, seconds: float, folder: Path) -> list[Ingest]:
    with started(server, folder) as running:
        return [
            _singles(settings, server, running, seconds),
            _batches(server, running),
            _file(server, running),
        ]


def _singles(settings: Settings, server: Server, running: Running, seconds: float) -> Ingest:
    before = _accepted(settings)
    with _watched(running) as watched:
        found = load(f"{running.url}{_RECORDS}", 50, seconds, server.headers, RECORD, unique=True)
    kept = _accepted(settings) - before
    note = f"{found.answered:,} accepted, {kept:,} of them in the database, {found.failed} refused"
    return Ingest("single records", 50, found.per_second, found.p99_ms, watched.more, note)


def _batches(server: Server, running: Running) -> Ingest:
    times = []
    with _watched(running) as watched:
        for batch in range(10):
            rows = [RECORD.replace("@@", f"{time.time_ns()}-{batch}-{number}") for number in range(_BATCH)]
            began = time.perf_counter()
            _send(server, _RECORDS, f"[{','.join(rows)}]".encode(), "application/json")
            times.append(time.perf_counter() - began)
    note = f"acknowledged in {sorted(times)[5] * 1000:.0f} ms (median)"
    return Ingest(f"batches of {_BATCH:,} records", 1, _BATCH / sorted(times)[5], max(times) * 1000, watched.more, note)


def _file(server: Server, running: Running) -> Ingest:
    began = time.perf_counter()
    with _watched(running) as watched:
        _send(server, _FILES, _lines(), "text/csv")
    seconds = time.perf_counter() - began
    return Ingest(
        f"a file of {_FILE_MB} MB", 1, None, seconds * 1000, watched.more, f"{_FILE_MB / seconds:,.0f} MB a second"
    )


def _lines() -> Iterator[bytes]:
    block = b"hhid,id_form,year,country,hh_size_members\n" + b"BENCH_F,ke_bench_2020,2020,KE,5\n" * 32_000
    for _ in range(_FILE_MB * 10**6 // len(block)):
        yield block


def _send(server: Server, path: str, body: "bytes | Iterator[bytes]", kind: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    chunked = not isinstance(body, bytes)
    connection.request("POST", path, body, {**server.headers, "Content-Type": kind}, encode_chunked=chunked)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 202:
        raise RuntimeError(f"{path}: {answer.status} {text[:300]!r}")
    connection.close()


def _accepted(settings: Settings) -> int:
    with connect(settings.given_database_url or "") as connection:
        row = connection.execute("SELECT count(*) FROM submissions.records").fetchone()
    return int(row[0]) if row else 0


class _watched:  # noqa: N801  # a context manager
    """The most memory of the process meanwhile, above what it had."""

    def __init__(self, running: Running) -> None:
        self._running, self._stop = running, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._before, self.more = running.process.memory_info().rss, 0.0

    def __enter__(self) -> "_watched":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            now = self._running.process.memory_info().rss
            self.more = max(self.more, (now - self._before) / 2**20)
