"""The platform's consumer on the events of the benchmark: `python -m benchmarks.stream_peers.ours ...`.

It gets SERVERS TOPIC URL FORM; with `lands` behind that, the events become drops in the store as well. It says when it
begins, and reads until SIGTERM.
"""

import signal
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pandera.polars as pa
import polars as pl

from benchmarks.stream_peers.events import MINUTE
from lastmile.contracts import Contract, Partition, field
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.streaming import Stream, Tumbling
from lastmile.streaming.consumer.running import Running, Surroundings


class Events(pa.DataFrameModel):
    id: str = field("Number of the event.")
    at: datetime = field("When it happened.")
    key: str = field("Whose it is.")
    cents: int = field("What was paid.", ge=0)
    agent: str | None = field("Who sent it.")


CONTRACT = Contract(
    name="bench_events",
    description="Events of the benchmark.",
    owner="team:bench",
    partition=Partition("day", start=date(2026, 1, 1)),
    schema=Events,
)
STREAM = Stream(
    name="bench",
    description="Events of the benchmark, by minute.",
    owner="team:bench",
    topic="bench",
    contract=CONTRACT.name,
    event_time="at",
    lateness=timedelta(seconds=5),
    windows=(
        Tumbling(
            name="bench", every=MINUTE, keys=("key",), values={"events": pl.len(), "cents": pl.col("cents").sum()}
        ),
    ),
    lands=False,
)


def main(servers: str, topic: str, url: str, form: Any, lands: bool) -> None:
    stream = replace(STREAM, topic=topic, format=form, lands=lands)
    here = Surroundings(url, open_store(Settings.from_environment()), {"bootstrap.servers": servers})
    running = Running(stream, CONTRACT, here)
    signal.signal(signal.SIGTERM, lambda *_: running.stop())
    print("ready", flush=True)
    running.run()


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0], given[1], given[2], given[3], "lands" in given[4:])
