"""How long an event waits, from its producer to its committed row, while so many come each second.

    python -m benchmarks.streams.latency SERVERS TOPIC NAME --rate 50000 --seconds 20

The producer is a process of its own (`producing`). An event begins to wait when it is handed to the producer's client.
"""

import argparse
import json
import subprocess
import sys
import threading
import time

import numpy as np

from benchmarks.comparing import PROJECT
from benchmarks.peers.timing import cpu_seconds, peak_mb
from benchmarks.streams.events import VIEWS, stream
from lastmile.embedded.database import running_url
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.streaming.consumer.commit import Commits
from lastmile.streaming.consumer.preparing import Preparation
from lastmile.streaming.consumer.running import Running, Surroundings

#: Seconds at the beginning that are not counted: the group gathers, code is compiled.
_WARMING = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("servers", "topic", "name"):
        parser.add_argument(name)
    parser.add_argument("--rate", type=int, default=50_000, help="events each second")
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    settings = Settings.from_environment()
    here = Surroundings(running_url(settings), open_store(settings), {"bootstrap.servers": given.servers})
    running = Running(stream(given.name, given.topic), VIEWS, here)
    sent: dict[int, np.ndarray] = {}
    waits: list[np.ndarray] = []
    prepared, committed = Preparation.prepare, Commits.commit

    def prepare(preparation, batch):  # type: ignore[no-untyped-def]  # as it is
        found = prepared(preparation, batch)
        sent[id(found[0])] = np.array(batch.messages.timestamps, np.float64)
        return found

    def commit(commits, connection, batch, **given):  # type: ignore[no-untyped-def]
        events = committed(commits, connection, batch, **given)
        times = sent.pop(id(batch))
        counted = times[times > counted_from]
        waits.append(time.time() * 1_000 - counted)
        return events

    Preparation.prepare, Commits.commit = prepare, commit  # type: ignore[method-assign]
    thread = threading.Thread(target=running.run)
    thread.start()
    began, used = time.perf_counter(), cpu_seconds()
    counted_from = (time.time() + _WARMING) * 1_000
    producing = [given.servers, given.topic, str(given.rate), str(given.seconds + _WARMING)]
    subprocess.run([sys.executable, "-m", "benchmarks.streams.producing", *producing], check=True, cwd=PROJECT)
    time.sleep(1)
    running.stop()
    thread.join()
    every = np.concatenate(waits)
    said = {
        "events": len(every),
        "seconds": time.perf_counter() - began,
        "cpu": cpu_seconds() - used,
        "start_mb": 0.0,
        "peak_mb": peak_mb(),
        **{f"p{share:g}": float(np.percentile(every, share)) for share in (50, 90, 99, 99.9)},
        "most": float(every.max()),
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
