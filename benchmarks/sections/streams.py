"""How fast are streams? Events of 200 bytes from the broker to committed rows of a window, and how long one waits.

Broker, consumer and Postgres share the machine. Single JSON messages and Arrow envelopes of 1,000 events, over 4 and
24 partitions. The clock runs from the assignment of the partitions to the last commit.
"""

import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.bench import Bench
from benchmarks.comparing import Contender, Tally, interleaved
from benchmarks.measuring import Cost, Failed, measured
from benchmarks.results import Found, Row
from benchmarks.streams.topics import Topic, broker, create, filled

PARTITIONS = (4, 24)
#: Of the usual rows, how many events are waited for at the rate that latency is stated at; and that rate.
RATE = 50_000
#: How many times the usual rows wait for a consumer that is behind.
BEHIND = (1, 4, 8)

_numbers = count(1)


def run(bench: Bench) -> list[Found]:
    with TemporaryDirectory(prefix="lastmile-topics-") as folder, broker(Path(folder) / "broker") as servers:
        topics = [
            filled(servers, partitions, form, bench.rows)
            for partitions in PARTITIONS
            for form in ("singles", "envelopes")
        ]
        jobs = {_name(topic): reading(bench, topic) for topic in topics}
        landing = {f"{_name(topics[0])}, landed": reading(bench, topics[0], lands=True)}
        tallies = interleaved(list((jobs | landing).values()), bench.rounds, bench.site, bench.console)
        speeds = Found(
            f"{bench.rows:,} events of 200 bytes to committed windows, median of {bench.rounds}",
            [_row(name, tally, bench.rows) for name, tally in tallies.items()],
        )
        latency = Found(f"From producer to committed row at {RATE:,} events/s", [_latency(bench, servers)])
        return [speeds, latency, _behind(bench, servers)]


def _behind(bench: Bench, servers: str) -> Found:
    """Memory where more and more events wait, which become drops too: all that is gathered is bounded."""
    sizes = [bench.rows * times for times in BEHIND]
    topics = [filled(servers, PARTITIONS[0], "envelopes", events, f"behind-{events}") for events in sizes]
    jobs = [reading(bench, topic, lands=True) for topic in topics]
    rows = [
        {"events that wait": topic.events, "seconds": cost.said["seconds"], "peak MB": cost.said["peak_mb"]}
        for topic, cost in ((topic, _once(bench, job)) for topic, job in zip(topics, jobs, strict=True))
    ]
    return Found("A consumer that is behind: envelopes, landed as drops as well", rows)


def _once(bench: Bench, job: Contender) -> Cost:
    job.before()
    cost = measured(job.command, job.environment, bench.site.postmaster)
    job.check(cost)
    return cost


def reading(bench: Bench, topic: Topic, lands: bool = False) -> Contender:
    """The stream on a topic, from its beginning."""
    name = _name(topic) + (", landed" if lands else "")
    command = [sys.executable, "-m", "benchmarks.streams.job", topic.servers, topic.name, f"views_{next(_numbers)}"]

    def before() -> None:
        command[5] = f"views_{next(_numbers)}"

    def check(cost: Cost) -> None:
        with psycopg.connect(bench.site.url) as connection:
            query = f"SELECT sum(views) FROM windows.{command[5]}_by_minute"
            (found,) = connection.execute(query.encode()).fetchone() or (0,)
        if found != topic.events or cost.said["events"] != topic.events:
            raise Failed(f"expected {topic.events:,} events in the window, found {found:,}")

    if lands:
        command.append("--lands")
    return Contender(name, command, before, check, bench.site.environment)


def _latency(bench: Bench, servers: str) -> Row:
    create(servers, "latency", PARTITIONS[0])
    seconds = max(2.0, 20.0 * bench.rows / 1_000_000)
    command = [sys.executable, "-m", "benchmarks.streams.latency", servers, "latency", f"views_{next(_numbers)}"]
    options = ["--rate", str(RATE), "--seconds", str(seconds)]
    said = measured([*command, *options], bench.site.environment, bench.site.postmaster).said
    milliseconds = {f"{name}, ms": said[name] for name in ("p50", "p90", "p99", "p99.9", "most")}
    return {"events": said["events"], **milliseconds, "CPU of the consumer": said["cpu"] / said["seconds"]}


def _name(topic: Topic) -> str:
    return f"{topic.form}, {topic.partitions} partitions"


def _row(name: str, tally: Tally, events: int) -> Row:
    if tally.failed or not tally.costs:
        return {"what": name, "note": f"failed: {tally.failed}"}
    return {
        "what": name,
        "events/s": events / tally.median("seconds"),
        "seconds": tally.median("seconds"),
        "CPU µs an event": tally.median("cpu") / events * 1e6,
        "CPU s of Postgres": tally.median("server_cpu"),
        "peak MB": tally.median("peak_mb"),
        "MB of imports": tally.median("start_mb"),
    }
