"""A dry run of a source: its first records, and what the contract says of them. Nothing is landed or remembered."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from psycopg import Connection

from lastmile.contracts import Contract
from lastmile.contracts.casts import NumberFormat
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.validation import Plan
from lastmile.sources.cursors import Standing, standing
from lastmile.sources.declarations.source import Source
from lastmile.sources.fetching import Fetched, Progress, Report, Task, fetched
from lastmile.sources.order import lower
from lastmile.sources.repeats import landed_before
from lastmile.store import Store

#: Rows that are shown, and reasons.
FIRST_ROWS, _REASONS = 10, 20


@dataclass
class Verdict:
    """What would become of rows. `problem` is why nothing of the drop would be loaded."""

    rows: int = 0
    bad: int = 0
    #: How many rows break which rule of which column, each with an example.
    broken: list[dict[str, Any]] = field(default_factory=list)
    change: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    first: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Trial:
    """What came, from where on, and what of it would be loaded."""

    fetched: Fetched
    verdict: Verdict
    cursor_from: str | None
    events: Sequence[str]


def tried(
    connection: Connection,
    store: Store,
    source: Source,
    contract: Contract,
    folder: Path,
    since: str | None = None,
    most: int = 1_000,
    progress: Progress = lambda requests, records, size: None,
) -> Trial:
    """Raises UserError where the source cannot be had as it is declared."""
    at = standing(connection, store.url, source.name) if source.is_incremental else Standing()
    begin = at.begin if since is None else lower(since, at.begin or since)
    known = partial(landed_before, connection, store.url, source.name, at.again.key if at.again else "")
    report = Report(progress)
    task = Task(folder=folder, begin=begin, reached=at.reached, most=most, known=known, report=report)
    found = fetched(source, task)
    return Trial(found, judged(found.file, contract), begin, report.all_events())


def judged(file: Path, contract: Contract) -> Verdict:
    """By the reader and the plan that the drop will meet."""
    verdict, broken, examples = Verdict(), Counter[tuple[str | None, str]](), dict[tuple[str | None, str], str]()
    try:
        reader = open_drop(file, file.name, contract)
        plan = Plan(contract, reader.header, NumberFormat.of(reader.format)) if reader.header else None
        for batch in reader.batches() if plan else ():
            verdict.first = verdict.first or list(islice(batch.frame.iter_rows(named=True), FIRST_ROWS))
            bad = plan.validate(batch).bad if plan else batch.frame.clear()
            verdict.rows += batch.records
            verdict.bad += bad.height
            for reason in (one for reasons in bad["reasons"] for one in json.loads(reasons)):
                broken[reason["column"], reason["rule"]] += 1
                examples.setdefault((reason["column"], reason["rule"]), reason["message"])
    except Refused as refused:
        verdict.problem = str(refused)
        return verdict
    verdict.change = _drift(plan.change.as_json(), contract) if plan else {}
    verdict.broken = [
        {"column": column, "rule": rule, "rows": rows, "message": examples[column, rule]}
        for (column, rule), rows in broken.most_common(_REASONS)
    ]
    most = contract.policy.max_bad_share
    if verdict.bad > most * verdict.rows:
        verdict.problem = (
            f"{verdict.bad:,} of {verdict.rows:,} rows are bad, more than the share of {most:g} it may have"
        )
    return verdict


def _drift(change: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    """What differs and matters: columns that are derived are no part of records, and these have no order."""
    missing = [name for name in change.get("missing", ()) if contract.metadata(name)["derived"] is None]
    others = {what: found for what, found in change.items() if what not in ("missing", "reordered")}
    return {**others, **({"missing": missing} if missing else {})}
