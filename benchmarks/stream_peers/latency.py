"""How long after it was produced an event is in a committed row, at a steady rate."""

import json
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.comparing import PROJECT
from benchmarks.measuring import Failed
from benchmarks.site import Site
from benchmarks.stream_peers.broker import Broker
from benchmarks.stream_peers.events import Events
from benchmarks.stream_peers.producing import NOTED
from benchmarks.stream_peers.turns import Program, Turn

#: Without the first seconds, in which the program joins its group.
_WARM_SECONDS = 5.0
_FALLS_BEHIND = 5.0


@dataclass
class Seen:
    """How many events were in committed rows, and since when."""

    at: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def note(self, count: int) -> None:
        if not self.counts or count > self.counts[-1]:
            self.at.append(time.time())
            self.counts.append(count)

    def latencies(self, produced: Sequence[float]) -> list[float]:
        """Seconds from when each thousandth event was produced until as many were there."""
        found = []
        for number, moment in enumerate(produced, 1):
            if moment >= produced[0] + _WARM_SECONDS or len(produced) < _WARM_SECONDS:
                place = bisect_left(self.counts, number * NOTED)
                found.append(self.at[place] - moment)
        return found


def steady(program: Program, site: Site, broker: Broker, events: Events, rate: int) -> dict[str, object]:
    """A row of the table: how late events were while so many a second came."""
    topic = f"steady-{events.count}-{time.time_ns()}"
    broker.make(topic, events.partitions)
    words = [broker.servers, topic, str(events.count), str(events.partitions), "json", str(rate)]
    seen, started = Seen(), list[subprocess.Popen[str]]()

    def look(count: int) -> None:
        """The producer begins once the program is ready."""
        if not started:
            command = [sys.executable, "-m", "benchmarks.stream_peers.producing", *words]
            started.append(subprocess.Popen(command, stdout=output, cwd=PROJECT, text=True))
        seen.note(count)

    with tempfile.TemporaryFile("w+") as output:
        try:
            Turn(program, site, broker, topic).until(events, look)
        except Failed as failed:
            return {"what": program.name, "note": f"failed: {failed}"}
        finally:
            for one in started:
                one.wait(600)
        output.seek(0)
        produced = json.loads(output.read().splitlines()[-1])
    found = sorted(seen.latencies(produced))
    behind = seen.at[-1] - produced[-1]
    return {
        "what": program.name,
        "events a second": rate,
        "mean ms": 1_000 * sum(found) / len(found),
        "p50 ms": 1_000 * found[len(found) // 2],
        "p99 ms": 1_000 * found[min(len(found) - 1, int(0.99 * len(found)))],
        "longest ms": 1_000 * found[-1],
        "note": f"falls behind: done {behind:.0f} s after the last event" if behind > _FALLS_BEHIND else "",
    }
