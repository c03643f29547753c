"""Every kind of alert there is: what its value is, and what it means in a sentence.

Each has an entry of this name in docs/runbook.md, which says how to see the cause and what to do.
"""

from dataclasses import dataclass
from typing import Literal

#: How a value is written.
Unit = Literal[
    "duration",
    "share",
    "drops",
    "columns",
    "inputs",
    "partitions",
    "score",
    "deviations",
    "failures",
    "answer",
    "messages",
    "bytes",
]


@dataclass(frozen=True)
class Kind:
    """`below` tells that values under the threshold are the bad ones, else those from it on."""

    name: str
    means: str
    unit: Unit
    below: bool = False

    def is_broken_by(self, value: float, threshold: float) -> bool:
        return value < threshold if self.below else value >= threshold


DATASET = (
    Kind("freshness", "no drop has come for longer than expected", "duration"),
    Kind("lateness", "drops came long after the end of their partition", "duration"),
    Kind("bad_share", "a large share of the rows is quarantined", "share"),
    Kind("volume", "the rows of the newest partition are far from the usual number", "deviations"),
    Kind("schema_drift", "the newest drop has columns that the contract does not declare", "columns"),
    Kind("failed_drops", "drops failed or are missing", "drops"),
)
MODEL = (
    Kind("drift", "the newest rows differ from those that the model was trained on", "inputs"),
    Kind("performance", "the model predicts worse than its evaluation said", "partitions"),
    Kind("floor", "the score of the version in use is below the floor", "score", below=True),
    Kind("promotion", "the newest candidate is suspect: a person has to decide", "failures"),
    Kind("training", "trainings failed", "failures"),
)
STREAM = (
    Kind("consumer_lag", "many messages of a stream wait", "messages"),
    Kind("stream_silent", "no message of a stream has come for longer than expected", "duration"),
    Kind("late_share", "a large share of a stream's events is late", "share"),
    Kind("poison_messages", "messages of a stream cannot be used, and are in quarantine", "messages"),
    Kind("messages_gone", "the broker deleted messages before they were read", "messages"),
    Kind("consumer_dead", "no process reads a stream, or none gets on with it", "duration"),
)
SOURCE = (
    Kind("source_overdue", "a source has brought no records for longer than expected", "duration"),
    Kind("source_failing", "the runs of a source fail", "failures"),
    Kind("slot_lag", "a database keeps much of its log for a source of changes", "bytes"),
)
PLATFORM = (
    Kind("run_failures", "an asset or a job failed several times in a row", "failures"),
    Kind("ticks_failing", "a sensor or schedule fails: what it would request is not made", "failures"),
    Kind("backlog", "many drops wait", "drops"),
    Kind("lag", "a drop has waited for long", "duration"),
    Kind("disk", "the disk is nearly full", "share", below=True),
    Kind("daemon_dead", "Dagster's daemon gives no sign of life: nothing is started", "duration"),
    Kind("code_server_dead", "the code server does not answer: no run can start", "answer"),
    Kind("api_dead", "the API does not answer", "answer"),
    Kind("web_ui_dead", "the web UI does not answer", "answer"),
    Kind("database_dead", "Postgres does not answer: nothing can be ingested or served", "answer"),
    Kind("store_unreachable", "the store of objects cannot be listed", "answer"),
    Kind("backup_too_old", "the newest complete backup is old", "duration"),
    Kind("log_not_archived", "the database's log is not archived: a restore would lose what came since", "duration"),
    Kind("drill_failed", "the last restore drill failed: so may a restore", "failures"),
    Kind("undelivered", "messages cannot be delivered to their channel", "duration"),
)
KINDS = {one.name: one for one in (*DATASET, *MODEL, *STREAM, *SOURCE, *PLATFORM)}
_BYTES = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
_UNITS = ((86_400, "days"), (3_600, "h"), (60, "min"))


def written(value: float, unit: Unit) -> str:
    """The value for people: `3.5 h`, `12 %`, `4 drops`."""
    if unit == "duration":
        for length, name in _UNITS:
            if value >= length:
                return f"{value / length:.3g} {name}"
        return f"{value:.0f} s"
    if unit == "bytes":
        for length, name in _BYTES:
            if value >= length:
                return f"{value / length:.3g} {name}"
    if unit == "answer":
        return "no answer" if value else "answers"
    if unit == "share":
        return f"{100 * value:.3g} %"
    if unit in ("score", "deviations"):
        return f"{value:.3g}"
    return f"{value:,.0f} {unit[:-1] if value == 1 else unit}".rstrip()
