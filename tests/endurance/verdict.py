"""Whether a day went well: nothing lost, nothing twice, nothing stuck, nothing growing, and requests answered."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import psycopg
from endurance.calls import Answers
from endurance.field import DATASET, Field
from endurance.measuring import Sample

from lastmile.operations.audit import violations

#: Of requests, answered within a caller's patience.
ANSWERED = 0.999
#: What a process may use more of at the end of the day than early in it.
GROWTH, SLACK_BYTES, SLACK_FILES = 1.2, 32 * 2**20, 8
#: A run that is neither waiting nor at work would be older than any that is.
STUCK_SECONDS = 900.0
#: These are started when there is work and end by themselves.
_FLEETING = {"worker", "fork-server", "progress", "resource-tracker", "lastmile"}


def faults_of_data(connection: psycopg.Connection[Any], sent: Field) -> list[str]:
    """What is wrong with what the field sent: each household accepted is in the table once, no other is twice."""
    rows = connection.execute(
        f"SELECT hhid, count(*) FROM raw.{DATASET} WHERE hhid LIKE 'day\\_%' GROUP BY 1"
    ).fetchall()
    counts = dict(rows)
    lost, twice = sent.accepted - counts.keys(), [one for one, count in counts.items() if count > 1]
    strangers = counts.keys() - sent.accepted - sent.unanswered
    return [
        *([f"{len(lost)} accepted rows are lost, such as {min(lost)}"] if lost else []),
        *([f"{len(twice)} rows are there twice, such as {min(twice)}"] if twice else []),
        *([f"{len(strangers)} rows were never sent, such as {min(strangers)}"] if strangers else []),
        *violations(connection, DATASET),
    ]


def faults_of_runs(samples: Sequence[Sample]) -> list[str]:
    oldest = samples[-1].numbers.get("oldest_run_seconds", 0.0)
    return [f"a run has been under way for {oldest:.0f} s"] if oldest > STUCK_SECONDS else []


def faults_of_requests(answers: Answers) -> list[str]:
    share = answers.share("at_once", "later")
    return [] if share >= ANSWERED else [f"{share:.3%} of requests were answered, not {ANSWERED:.1%}"]


def faults_of_growth(samples: Sequence[Sample]) -> list[str]:
    """Memory and open files of each kind of process, and connections: early in the day against its end. Postgres has
    each table's files open once for each session that has used it, so its files are counted for each connection."""
    early, late = _part(samples, 1), _part(samples, 3)
    found = []
    for kind in sorted({kind for one in early for kind in one.memory} - _FLEETING):
        before, after = (_usual(one.memory.get(kind) for one in part) for part in (early, late))
        if after > before * GROWTH + SLACK_BYTES:
            found.append(f"memory of {kind} grew from {before / 2**20:.0f} to {after / 2**20:.0f} MB")
        before, after = (_usual(_files(one, kind) for one in part) for part in (early, late))
        if after > before * GROWTH + SLACK_FILES:
            found.append(f"open files of {kind} grew from {before:.0f} to {after:.0f}")
    before, after = (_usual(one.numbers.get("connections") for one in part) for part in (early, late))
    if after > before * GROWTH + SLACK_FILES:
        found.append(f"connections grew from {before:.0f} to {after:.0f}")
    return found


def _files(sample: Sample, kind: str) -> float | None:
    held, sessions = sample.files.get(kind), sample.numbers.get("connections")
    if kind != "postgres":
        return held
    return held / sessions if held is not None and sessions else None


def _part(samples: Sequence[Sample], quarter: int) -> Sequence[Sample]:
    """The second (1) or last (3) quarter of the day; in the first one everything is started."""
    size = len(samples) // 4
    return samples[quarter * size : (quarter + 1) * size]


def _usual(values: Iterable[float | None]) -> float:
    return median([value for value in values if value is not None] or [0.0])
