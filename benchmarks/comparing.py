"""Contenders run in turn, round after round, so that what the machine does meanwhile falls on all of them alike."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks.measuring import Cost, Failed, measured
from benchmarks.site import BARE, SAME, Site
from benchmarks.survey import SURVEY
from benchmarks.surveys import Survey

PROJECT = Path(__file__).resolve().parents[1]
PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Contender:
    """`before` makes ready, not timed; `check` raises Failed where the work was not done whole."""

    name: str
    command: Sequence[str | Path]
    before: Callable[[], object]
    check: Callable[[Cost], None] = lambda _: None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Tally:
    """What each round of a contender cost; `failed` is the last line of its error, after which it was left out."""

    costs: list[Cost] = field(default_factory=list)
    failed: str | None = None

    def median(self, name: str) -> float:
        return float(median(getattr(cost, name) for cost in self.costs))

    @property
    def all_cpu(self) -> float:
        """CPU seconds of the work, the program's and the server's."""
        return float(median(cost.cpu + cost.server_cpu for cost in self.costs))


def interleaved(contenders: Sequence[Contender], rounds: int, site: Site, console: Console) -> dict[str, Tally]:
    tallies = {contender.name: Tally() for contender in contenders}
    for number in range(1, rounds + 1):
        for contender in contenders:
            tally = tallies[contender.name]
            if tally.failed is None:
                with console.status(f"round {number} of {rounds}: {contender.name}"):
                    _run(contender, tally, site)
                result = tally.failed or f"{tally.costs[-1].seconds:7.2f} s, {tally.costs[-1].peak_mb:6,.0f} MB"
                console.print(f"[dim]round {number} of {rounds}  {contender.name:32} {result}", highlight=False)
    return tallies


def _run(contender: Contender, tally: Tally, site: Site) -> None:
    contender.before()
    try:
        cost = measured(contender.command, contender.environment, site.postmaster, folder=PROJECT)
        contender.check(cost)
        tally.costs.append(cost)
    except Failed as failed:
        tally.failed = str(failed)


def ratio(tally: Tally, base: Tally) -> float:
    """Median over the rounds of its time in the base's time of the same round."""
    return median(ours.seconds / theirs.seconds for ours, theirs in zip(tally.costs, base.costs, strict=False))


def copy(site: Site, survey: Survey, table: str = SAME) -> Contender:
    """A bare COPY of the clean rows, into the table as the engine's is or into one without any index."""
    where = {SAME: "the same table", BARE: "a bare table"}[table]
    command: list[str | Path] = [sys.executable, PEERS / "csv_copy.py", survey.clean, site.url, table]
    return Contender(f"COPY into {where}", command, site.clear, expecting(site, table, survey.good))


def whole_job(site: Site, survey: Survey, name: str = "the whole job", file: Path | None = None) -> Contender:
    """The engine on the survey, with its dirt: its bad rows must be quarantined and all others loaded.

    `file` is the same survey in another format.
    """

    def before() -> None:
        site.land(file or survey.file)
        site.clear()

    def check(cost: Cost) -> None:
        found = (cost.said["loaded"], cost.said["quarantined"], site.rows(f"raw.{SURVEY.name}"))
        if found != (survey.good, survey.bad, survey.good):
            raise Failed(f"expected {survey.good:,} rows loaded and {survey.bad:,} quarantined, found {found}")

    command = [sys.executable, "-m", "benchmarks.whole_job"]
    return Contender(name, command, before, check, site.environment)


def expecting(site: Site, table: str, rows: int) -> Callable[[Cost], None]:
    def check(_: Cost) -> None:
        if (found := site.rows(table)) != rows:
            raise Failed(f"expected {rows:,} rows in {table}, found {found:,}")

    return check
