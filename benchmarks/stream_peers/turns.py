"""A program that makes windows of a topic, run until its rows are committed: what that cost.

The program says `ready` when its imports are done. From there the clock runs until a query of the table finds all
events in it, so it is the same clock for all of them, whether they end by themselves or not; then it is ended.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import polars as pl
import psutil
import psycopg

from benchmarks.comparing import PROJECT
from benchmarks.measuring import Cost, Failed, last_line, server_cpu
from benchmarks.site import Site
from benchmarks.stream_peers.broker import Broker
from benchmarks.stream_peers.events import LAST, Events

#: The table of those that have no other.
TABLE = "peers.windows"
_POLL_SECONDS, _PATIENCE_SECONDS, _READY_SECONDS = 0.02, 900.0, 120.0


@dataclass(frozen=True)
class Program:
    """`command` gets broker and topic; `table` is where its windows are."""

    name: str
    command: Callable[[str, str], Sequence[str | Path]]
    table: str = TABLE


class Turn:
    """One run of a program. `Failed` says why it did not do its work."""

    def __init__(self, program: Program, site: Site, broker: Broker, topic: str) -> None:
        self._program, self._site, self._broker, self._topic = program, site, broker, topic
        self._most = 0

    def until(self, events: Events, seen: Callable[[int], None] = lambda count: None) -> Cost:
        """What it cost until all were in its table; `seen` is called with how many there are, again and again."""
        clear(self._site)
        command = list(map(str, self._program.command(self._broker.servers, self._topic)))
        environment = {**os.environ, **self._site.environment}
        with TemporaryFile("w+") as output:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=output, cwd=PROJECT, start_new_session=True
            )
            try:
                return self._measured(process, events, seen)
            except Failed as failed:
                output.seek(0)
                raise Failed(f"{failed}: {last_line(output.read())}"[:200]) from None
            finally:
                _end(process)

    def _measured(self, process: "subprocess.Popen[bytes]", events: Events, seen: Callable[[int], None]) -> Cost:
        _expect_ready(process)
        tree = psutil.Process(process.pid)
        start_mb, start_cpu = _memory(tree) / 2**20, _cpu(tree)
        served, brokered, began = server_cpu(self._site.postmaster), self._broker.cpu, time.perf_counter()
        with psycopg.connect(self._site.url, autocommit=True) as connection:
            used = self._wait(process, tree, connection, events.count, seen)
            seconds = time.perf_counter() - began
            _expect(connection, self._program.table, events)
        return Cost(
            seconds=seconds,
            cpu=used - start_cpu,
            start_cpu=start_cpu,
            server_cpu=server_cpu(self._site.postmaster) - served,
            peak_mb=self._most / 2**20,
            start_mb=start_mb,
            said={"broker_cpu": self._broker.cpu - brokered},
        )

    def _wait(
        self,
        process: "subprocess.Popen[bytes]",
        tree: psutil.Process,
        connection: psycopg.Connection,
        count: int,
        seen: Callable[[int], None],
    ) -> float:
        """The CPU that it has used once all events are in its table."""
        deadline, used, look_at = time.monotonic() + _PATIENCE_SECONDS, 0.0, 0.0
        while True:
            if (now := time.monotonic()) >= look_at:
                used, look_at = max(used, _cpu(tree)), now + 0.1
                self._most = max(self._most, _memory(tree))
            found = _counted(connection, self._program.table)
            seen(found)
            if found >= count:
                return max(used, _cpu(tree))
            if now > deadline:
                raise Failed(f"{found:,} of {count:,} events in its windows after {_PATIENCE_SECONDS:.0f} s")
            if process.poll() is not None and _counted(connection, self._program.table) < count:
                raise Failed(f"ended with {process.returncode} and {found:,} of {count:,} events in its windows")
            time.sleep(_POLL_SECONDS)


def clear(site: Site) -> None:
    """No windows, no positions; the server and the disk have nothing to do from before."""
    with psycopg.connect(site.url, autocommit=True) as connection:
        connection.execute(
            "DROP SCHEMA IF EXISTS peers CASCADE; CREATE SCHEMA peers; DROP TABLE IF EXISTS windows.bench"
        )
        for table in ("positions", "watermarks", "segments", "consumers", "gaps", "keys"):
            connection.execute(f"TRUNCATE streams.{table}".encode())
        connection.execute("TRUNCATE quarantine.messages")
        connection.execute("CHECKPOINT")
    os.sync()


def _expect_ready(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None  # noqa: S101  # it was opened so
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        if line.strip() == b"ready":
            return
        if not line:
            break
    process.wait(10)
    raise Failed("did not start")


def _counted(connection: psycopg.Connection, table: str) -> int:
    try:
        row = connection.execute(f"SELECT sum(events)::bigint FROM {table} WHERE key <> '{LAST}'".encode()).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):  # not made yet
        return 0
    return int(row[0] or 0) if row else 0


def _expect(connection: psycopg.Connection, table: str, events: Events) -> None:
    """Raises Failed where a window is not what it must be."""
    query = f"SELECT key, window_start::timestamptz, events::bigint, cents::bigint FROM {table} WHERE key <> '{LAST}'"
    wanted = events.windows()
    with connection.transaction():
        connection.execute("SET LOCAL timezone = 'UTC'")
        rows = connection.execute(query.encode()).fetchall()
    found = pl.DataFrame(rows, schema=wanted.schema, orient="row").sort("key", "window_start")
    if not found.equals(wanted):
        raise Failed(f"its {found.height:,} windows are not the {wanted.height:,} that they must be")


def _tree(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory(root: psutil.Process) -> int:
    held = 0
    for one in _tree(root):
        with suppress(psutil.NoSuchProcess):
            held += one.memory_info().rss
    return held


def _cpu(root: psutil.Process) -> float:
    used = 0.0
    for one in _tree(root):
        with suppress(psutil.NoSuchProcess):
            used += sum(one.cpu_times()[:4])
    return used


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
