"""From events in a topic to committed windows in Postgres: how fast, how late, and how much memory, next to others?

Every program reads the same topics and makes windows of a minute by key: number of events, sum of a column. Each
commits them to Postgres as its documentation does it, and the windows are compared with what they must be.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench, row
from benchmarks.comparing import PEERS, PROJECT, Tally
from benchmarks.environments import python_for, uninstallable
from benchmarks.measuring import Failed
from benchmarks.results import Found
from benchmarks.stream_peers import broker
from benchmarks.stream_peers.broker import Broker
from benchmarks.stream_peers.events import Events
from benchmarks.stream_peers.latency import steady
from benchmarks.stream_peers.turns import Program, Turn

OURS, LANDED = "lastmile", "lastmile, events landed as well"
_PARTITIONS = (4, 24)
_FORMS = {"json": "single messages", "arrow": "Arrow envelopes of 1,000"}
#: How much more waits where memory is looked at again.
_BACKLOG = 4
_STEADY_SECONDS = 20


@dataclass(frozen=True)
class Peer:
    """`cannot` says why it has no part in a table, by the table's name."""

    name: str
    script: str
    delivers: str
    cannot: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return PEERS / f"{self.script}.py"


_BY_KEY = "keeps state by the message's key, so events of an envelope would have to go through another topic"
_NOT_BEFORE_FINAL = "commits a window once it is final, so an event waits for the end of its minute"
_CANNOT_QUIX = {"latency": _NOT_BEFORE_FINAL, "arrow": _BY_KEY}
PEERS_OF_STREAMS = (
    Peer("Quix Streams", "stream_quix", "at least once; here without a changelog of its state", _CANNOT_QUIX),
    Peer("bytewax", "stream_bytewax", "at least once, if recovery is set up", {"latency": _NOT_BEFORE_FINAL}),
    Peer("Pathway", "stream_pathway", "at least once"),
)


@dataclass(frozen=True)
class Stage:
    """Where all programs play: the broker, and those that are installed."""

    bench: Bench
    broker: Broker
    peers: Sequence[Peer]
    missing: Mapping[str, str]

    def programs(self, form: str, table: str | None = None) -> list[Program]:
        """Ours, and those of the peers that have a part in a table."""
        url = self.bench.site.url

        def ours(*more: str) -> Program:
            name = LANDED if more else OURS
            module = [sys.executable, "-m", "benchmarks.stream_peers.ours"]
            return Program(name, lambda servers, topic: [*module, servers, topic, url, form, *more], "windows.bench")

        def theirs(peer: Peer) -> Program:
            start = [python_for(peer.path), peer.path]
            return Program(peer.name, lambda servers, topic: [*start, servers, topic, url, form])

        return [ours(), ours("lands"), *(theirs(peer) for peer in self.peers if (table or form) not in peer.cannot)]

    def without(self, table: str) -> list[dict[str, object]]:
        """A row for each that has no part in a table, and why."""
        having = [peer for peer in self.peers if table in peer.cannot]
        return [{"what": peer.name, "note": f"not run: {peer.cannot[table]}"} for peer in having]

    def topic(self, events: Events, form: str) -> str:
        """One with these events, made by a process of its own."""
        name = f"bench-{events.count}-{events.partitions}-{form}"
        self.broker.make(name, events.partitions)
        words = [self.broker.servers, name, str(events.count), str(events.partitions), form]
        with self.bench.console.status(f"producing {events.count:,} events for {events.partitions} partitions"):
            subprocess.run([sys.executable, "-m", "benchmarks.stream_peers.producing", *words], check=True, cwd=PROJECT)
        return name

    def turns(self, programs: Sequence[Program], events: Events, topic: str, rounds: int) -> dict[str, Tally]:
        """All programs in turn, round after round."""
        tallies = {one.name: Tally() for one in programs}
        for number in range(1, rounds + 1):
            for one in programs:
                tally = tallies[one.name]
                if tally.failed is None:
                    with self.bench.console.status(f"round {number} of {rounds}: {one.name}"):
                        self._turn(one, tally, events, topic)
                    said = tally.failed or f"{tally.costs[-1].seconds:7.2f} s, {tally.costs[-1].peak_mb:6,.0f} MB"
                    self.bench.console.print(f"[dim]round {number} of {rounds}  {one.name:32} {said}", highlight=False)
        return tallies

    def _turn(self, program: Program, tally: Tally, events: Events, topic: str) -> None:
        try:
            tally.costs.append(Turn(program, self.bench.site, self.broker, topic).until(events))
        except Failed as failed:
            tally.failed = str(failed)


def run(bench: Bench) -> list[Found]:
    missing = uninstallable({peer.name: peer.path for peer in PEERS_OF_STREAMS}, bench.console)
    peers = [peer for peer in PEERS_OF_STREAMS if peer.name not in missing]
    with broker.started(bench.site.home / "kafka") as running:
        stage = Stage(bench, running, peers, missing)
        return [_throughput(stage), _latency(stage), _backlog(stage)]


def _throughput(stage: Stage) -> Found:
    bench, rows = stage.bench, list[dict[str, object]]()
    for form, words in _FORMS.items():
        for partitions in _PARTITIONS:
            events = Events(bench.rows, partitions)
            tallies = stage.turns(stage.programs(form), events, stage.topic(events, form), bench.rounds)
            rows += [
                {"what": name, "messages": words, "partitions": partitions}
                | _rate(events, tally)
                | row(name, tally, tallies[OURS], OURS)
                | _delivers(name, tally)
                for name, tally in tallies.items()
            ]
        rows += [{**without, "messages": words} for without in stage.without(form)]
    rows += [{"what": name, "note": why} for name, why in stage.missing.items()]
    title = f"{bench.rows:,} events of 200 bytes, from the topic to committed windows, median of {bench.rounds}"
    note = "CPU is that of the program and of Postgres; the broker's, which is the same work for all, apart."
    return Found(title, rows, note)


def _rate(events: Events, tally: Tally) -> dict[str, object]:
    return {"events a second": round(events.count / tally.median("seconds"), -2)} if tally.costs else {}


def _delivers(name: str, tally: Tally) -> dict[str, object]:
    promised = {one.name: one.delivers for one in PEERS_OF_STREAMS}
    if not tally.costs:
        return {}
    return {
        "CPU s of the broker": median(cost.said["broker_cpu"] for cost in tally.costs),
        "delivers": promised.get(name, "exactly once"),
    }


def _latency(stage: Stage) -> Found:
    """At 50,000 a second of the usual rows in 20 seconds; where there are fewer rows, at fewer a second."""
    rate = stage.bench.rows // _STEADY_SECONDS
    events = Events(rate * _STEADY_SECONDS, _PARTITIONS[0])
    rows = [
        steady(program, stage.bench.site, stage.broker, events, rate) for program in stage.programs("json", "latency")
    ]
    rows += stage.without("latency")
    note = f"Single messages, {_PARTITIONS[0]} partitions, {_STEADY_SECONDS} s of which the first are not counted."
    return Found("From the producer to a committed row, at a steady rate", rows, note)


def _backlog(stage: Stage) -> Found:
    """What a program holds while it catches up, with a backlog and with one that is four times larger."""
    rows = list[dict[str, object]]()
    for count in (stage.bench.rows, _BACKLOG * stage.bench.rows):
        events = Events(count, _PARTITIONS[0])
        topic = f"bench-{count}-{_PARTITIONS[0]}-json"
        if count != stage.bench.rows:
            topic = stage.topic(events, "json")
        backlog_mb = count * 200 / 2**20
        for name, tally in stage.turns(stage.programs("json"), events, topic, 1).items():
            rows.append(
                {"what": name, "events that wait": count, "MB that wait": backlog_mb} | _held(tally, backlog_mb)
            )
    return Found(
        "Memory of a program that starts an hour behind", rows, "An hour at a thousand a second is 3.6 M events."
    )


def _held(tally: Tally, backlog_mb: float) -> dict[str, object]:
    if tally.failed:
        return {"note": f"failed: {tally.failed}"}
    peak, start = tally.median("peak_mb"), tally.median("start_mb")
    return {
        "peak MB": peak,
        "MB of imports": start,
        "MB of the work": peak - start,
        "of the work, by what waits": (peak - start) / backlog_mb,
    }
