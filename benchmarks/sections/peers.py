"""How long do other tools take to load the same rows, and to validate them?

Loaders get the clean rows only and validate none; the whole job gets them with the dirt, and sets that aside. Where a
tool makes its own table it is left to; the others fill one with the survey's columns and no index. Slow ones load a
fifth of the rows and are held against a COPY of as many.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandera.polars as pa
import psycopg

from benchmarks.bench import Bench, row
from benchmarks.comparing import PEERS, Contender, Tally, copy, expecting, interleaved, whole_job
from benchmarks.environments import python_for, uninstallable
from benchmarks.plotting import bars
from benchmarks.results import FOLDER, Found
from benchmarks.site import BARE, SAME, Site
from benchmarks.survey import SURVEY
from benchmarks.surveys import Survey

_CHECKS = {
    "greater_than_or_equal_to": ("at_least", "min_value"),
    "less_than_or_equal_to": ("at_most", "max_value"),
    "isin": ("allowed", "allowed_values"),
    "str_matches": ("matches", "pattern"),
}
_OWN = "its own"


@dataclass(frozen=True)
class Peer:
    """`table` is what it fills; None for a validator, which loads nothing. Slow ones get a fifth of the rows."""

    name: str
    script: str
    table: str | None = _OWN
    slow: bool = False

    @property
    def path(self) -> Path:
        return PEERS / f"{self.script}.py"

    @property
    def target(self) -> str:
        return f"peers.{self.script}" if self.table == _OWN else str(self.table)


LOADERS = (
    Peer("DuckDB, Postgres extension", "duckdb_postgres", BARE),
    Peer("polars + ADBC", "polars_adbc"),
    Peer("dlt, Arrow", "dlt_arrow"),
    Peer("pandas + COPY", "pandas_copy", BARE),
    Peer("sling", "sling_cli"),
    Peer("pandas.to_sql", "pandas_to_sql", slow=True),
    Peer("dlt, default", "dlt_default", slow=True),
    Peer("ingestr", "ingestr_cli", slow=True),
)
VALIDATORS = (
    Peer("pandera, polars", "pandera_polars", None),
    Peer("pandera, pandas", "pandera_pandas", None),
    Peer("Great Expectations, pandas", "great_expectations_pandas", None, slow=True),
)


def run(bench: Bench) -> list[Found]:
    every = (*LOADERS, *VALIDATORS)
    missing = uninstallable({peer.name: peer.path for peer in every}, bench.console)
    peers = [peer for peer in every if peer.name not in missing]
    rows: list[dict[str, object]] = []
    for slow in (False, True):
        survey = bench.surveys.of(bench.rows // 5 if slow else bench.rows)
        rows += _compared(bench, survey, [peer for peer in peers if peer.slow == slow])
    rows += [{"what": name, "note": why} for name, why in missing.items()]
    # Of what was run at both sizes, the usual one.
    drawn = {str(entry["what"]): entry for entry in reversed(rows) if "time, COPY = 1" in entry}
    bars(list(drawn.values()), FOLDER / "peers.png", "Seconds, in those of a COPY of as many rows into the same table")
    note = "COPY and the loaders get the clean rows only."
    return [Found(f"Next to other tools, median of {bench.rounds}", rows, note)]


def _compared(bench: Bench, survey: Survey, peers: Sequence[Peer]) -> list[dict[str, object]]:
    site = bench.site
    base, bare, job = copy(site, survey, SAME), copy(site, survey, BARE), whole_job(site, survey)
    rules = survey.file.with_suffix(".rules.json")
    rules.write_text(json.dumps(rules_of_survey()))
    theirs = [_contender(peer, site, survey, rules) for peer in peers]
    tallies = interleaved([base, bare, job, *theirs], bench.rounds, site, bench.console)
    return [
        {"what": name, "rows": survey.rows}
        | row(name, tally, tallies[base.name])
        | _does(tally, survey, is_validator=name in {peer.name for peer in peers if peer.table is None})
        for name, tally in tallies.items()
    ]


def _does(tally: Tally, survey: Survey, is_validator: bool) -> dict[str, str]:
    """What was done to the rows, and how many of those that are bad were found."""
    said = tally.costs[0].said if tally.costs else {}
    found = said.get("bad" if is_validator else "quarantined")
    does = "validates" if is_validator else "loads" if found is None else "validates and loads"
    return {"does": does, "bad rows found": "none looked for" if found is None else f"{found:,} of {survey.bad:,}"}


def _contender(peer: Peer, site: Site, survey: Survey, rules: Path) -> Contender:
    python = python_for(peer.path)
    if peer.table is None:
        return Contender(peer.name, [python, peer.path, survey.file, rules], site.clear)
    command: list[str | Path] = [python, peer.path, survey.clean, site.url, peer.target]
    return Contender(peer.name, command, _emptied(site), expecting(site, peer.target, survey.good))


def _emptied(site: Site) -> Callable[[], None]:
    def before() -> None:
        with psycopg.connect(site.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS peers CASCADE")
            connection.execute("CREATE SCHEMA peers")
        site.clear()

    return before


def rules_of_survey() -> dict[str, dict[str, Any]]:
    """The survey's contract as plain values, for validators that cannot import it."""
    return {
        name: {"type": str(spec.dtype.type.base_type()), "required": spec.required} | dict(map(_bound, spec.checks))
        for name, spec in SURVEY.columns.items()
    }


def _bound(check: pa.Check) -> tuple[str, Any]:
    name, argument = _CHECKS[str(check.name)]
    value = (check.statistics or {})[argument]
    return name, value.isoformat() if hasattr(value, "isoformat") else value
