"""What does Postgres take of the commits of streams, whatever the processes decode: how many, and of how many windows?

From it docs/scaling.md reckons where one database ends.
"""

import json
import subprocess
import sys
import time

import psycopg

from benchmarks.bench import Bench
from benchmarks.comparing import PROJECT
from benchmarks.measuring import Failed, server_cpu
from benchmarks.results import Found
from benchmarks.stream_peers.turns import clear

_PROCESSES, _KEYS = (1, 2, 8), (100, 1_000, 10_000)
_EVENTS, _SECONDS = 20_000, 10.0


def run(bench: Bench) -> list[Found]:
    seconds = min(_SECONDS, max(1.0, bench.rows / 100_000))
    rows = [
        _measured(bench, processes, keys, whose, seconds)
        for keys in _KEYS
        for whose in ("own", "shared")
        for processes in _PROCESSES
        if whose == "own" or processes > 1
    ]
    note = f"Batches of {_EVENTS:,} events; own: each process has its own keys, as where messages are sent by key."
    return [Found("Commits of streams that Postgres takes, of processes that do nothing else", rows, note)]


def _measured(bench: Bench, processes: int, keys: int, whose: str, seconds: float) -> dict[str, object]:
    clear(bench.site)
    words = [str(keys), whose, str(seconds), str(_EVENTS)]
    command = [sys.executable, "-m", "benchmarks.stream_peers.committing", bench.site.url]
    with bench.console.status(f"{processes} processes, {keys:,} {whose} keys"):
        running = [
            subprocess.Popen(
                [*command, str(number), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=PROJECT, text=True
            )
            for number in range(processes)
        ]
        for one in running:
            if not one.stdout or one.stdout.readline().strip() != "ready":
                raise Failed("a process did not start")
        served, began = server_cpu(bench.site.postmaster), time.perf_counter()
        for one in running:  # all of them, before any is waited for
            print(file=one.stdin, flush=True)
        said = [json.loads(one.communicate(timeout=120)[0]) for one in running]
        took, used = time.perf_counter() - began, server_cpu(bench.site.postmaster) - served
    commits, written = sum(one["commits"] for one in said), sum(one["rows"] for one in said)
    _expect(bench, keys if whose == "shared" else keys * processes, commits)
    return {
        "processes": processes,
        "keys": keys,
        "whose": whose,
        "commits a second": commits / seconds,
        "windows a second": written / seconds,
        "events a second that this is": commits * _EVENTS / seconds,
        "CPU ms of Postgres a commit": 1_000 * used / commits,
        "CPU µs of Postgres a window": 1e6 * used / written,
        "cores of Postgres": used / took,
        "longest commit ms": 1_000 * max(one["longest"] for one in said),
    }


def _expect(bench: Bench, keys: int, commits: int) -> None:
    """Raises Failed where the windows are not what was committed."""
    with psycopg.connect(bench.site.url) as connection:
        row = connection.execute("SELECT count(*), sum(events)::bigint FROM windows.bench").fetchone()
    if row != (keys, commits * _EVENTS):
        raise Failed(f"expected {keys:,} windows of {commits * _EVENTS:,} events, found {row}")
