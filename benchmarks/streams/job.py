"""A process that reads a topic to its end: from the broker to committed rows of a window.

    python -m benchmarks.streams.job SERVERS TOPIC NAME [--lands]

The clock runs from the assignment of the partitions to the last commit.
"""

import argparse
import json
import time
from typing import Any

from benchmarks.peers.timing import cpu_seconds, peak_mb
from benchmarks.streams.events import VIEWS, stream
from lastmile.embedded.database import running_url
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.streaming.consumer.commit import Commits
from lastmile.streaming.consumer.reading import Reader
from lastmile.streaming.consumer.running import Running, Surroundings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("servers", "topic", "name"):
        parser.add_argument(name)
    parser.add_argument("--lands", action="store_true", help="the events become drops as well")
    given = parser.parse_args()
    settings = Settings.from_environment()
    here = Surroundings(running_url(settings), open_store(settings), {"bootstrap.servers": given.servers})
    running = Running(stream(given.name, given.topic, given.lands), VIEWS, here, until_caught_up=True)
    moments: dict[str, float] = {}
    claimed, committed = Reader._claim, Commits.commit

    def claim(*given: Any) -> Any:
        moments["began"], moments["used"] = time.perf_counter(), cpu_seconds()
        return claimed(*given)

    def commit(*given: Any, **named: Any) -> int:
        events = committed(*given, **named)
        if events:
            moments["ended"], moments["cpu"] = time.perf_counter(), cpu_seconds()
        return events

    Reader._claim, Commits.commit = claim, commit  # type: ignore[method-assign]
    start = peak_mb()
    running.run()
    said = {
        "events": running.events,
        "seconds": moments["ended"] - moments["began"],
        "cpu": moments["cpu"] - moments["used"],
        "start_mb": start,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
