"""One of several processes that commit batches of the same size as fast as Postgres takes them: it decodes nothing.

python -m benchmarks.stream_peers.committing URL NUMBER KEYS own|shared SECONDS EVENTS

Each has a partition of its own; its keys are its own as well, as where messages are sent by the key of the window, or
those of all others. It says `ready`, begins with a line on its standard input, and prints what it did as JSON.
"""

import json
import sys
import time
from dataclasses import replace
from datetime import timedelta

import polars as pl
from psycopg import Connection

from benchmarks.stream_peers.events import START
from benchmarks.stream_peers.ours import CONTRACT, STREAM
from lastmile.streaming.consumer import left_out, positions
from lastmile.streaming.consumer.batch import Assignment, Prepared
from lastmile.streaming.consumer.commit import Commits
from lastmile.streaming.consumer.positions import Move
from lastmile.streaming.operators import Operator, operators
from lastmile.warehouse.connections import connect


def reduced(operator: Operator, keys: int, prefix: str, events: int) -> pl.DataFrame:
    """What a batch of so many events adds to one minute of so many keys."""
    number = pl.int_range(0, events, dtype=pl.Int64)
    frame = pl.select(
        id=pl.lit("e"),
        at=pl.lit(START) + timedelta(seconds=1),
        key=pl.format("{}{}", pl.lit(prefix), number % keys),
        cents=number % 100,
        agent=pl.lit(None, pl.String),
        _partition=pl.lit(0, pl.Int32),
        _offset=number,
        _index=pl.lit(0, pl.Int32),
        _timestamp=pl.lit(START),
    )
    return operator.reduce(frame.select(STREAM.schema(CONTRACT).keys()))


def commit(connection: Connection, number: int, keys: int, own: bool, seconds: float, events: int) -> dict[str, float]:
    """Batches until the time is over."""
    stream = replace(STREAM, lateness=timedelta(days=1))
    made = operators(stream, CONTRACT)
    commits = Commits(stream, made, None)
    commits.begin(connection)
    (claimed,) = positions.claim(connection, stream.name, stream.topic, [number], [number], f"process {number}")
    assignment = Assignment({number: claimed})
    adds = [reduced(one, keys, f"p{number}_" if own else "k", events) for one in made]
    print("ready", flush=True)
    sys.stdin.readline()
    done, began, longest = 0, time.perf_counter(), 0.0
    while time.perf_counter() - began < seconds:
        before = None if not done else done * events
        move = Move(number, claimed.generation, before, (done + 1) * events, START, events)
        at = time.perf_counter()
        if not commits.commit(connection, Prepared(assignment, [move], left_out.NONE, adds, {})):
            raise SystemExit("a batch was committed before")
        longest = max(longest, time.perf_counter() - at)
        done += 1
    rows = done * sum(one.height for one in adds)
    return {"commits": done, "seconds": time.perf_counter() - began, "rows": rows, "longest": longest}


if __name__ == "__main__":
    url, number, keys, whose, seconds, events = sys.argv[1:]
    with connect(url) as connection:
        print(json.dumps(commit(connection, int(number), int(keys), whose == "own", float(seconds), int(events))))
