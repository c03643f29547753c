"""How datasets stand, by the ledger. All are gauges: a newer object takes rows away."""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import Metric

from lastmile.operations.metrics.family import gauge

#: Of each metric with one value per dataset: its text, and where the value is found.
_SINGLE = {
    "backlog_drops": ("Drops found and not yet ingested.", "backlog"),
    "lag_seconds": ("How long the oldest waiting drop has been waiting; 0 where none waits.", "lag_seconds"),
    "late_drops": ("Drops that came after the end of their partition.", "late"),
    "lateness_seconds": ("How long after the end of its partition the latest drop came.", "lateness_seconds"),
    "newest_drop_age_seconds": ("Age of the newest drop.", "newest_age_seconds"),
    "failed_drops": ("Drops that failed or are missing, and are not discarded.", "failures"),
    "removed_drops": ("Drops whose object clean-up has removed from the landing area.", "removed"),
}
_COUNTED = {
    "drops": ("Drops by state.", "state", "drops"),
    "rows": ("Rows of the drops in force, by what became of them.", "outcome", "rows"),
    "undecided": ("Rows, and whole drops, quarantined and neither released nor discarded.", "what", "undecided"),
}


def datasets(found: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    """From what `operations.status.datasets` says."""
    for name, (text, label, part) in _COUNTED.items():
        rows = [(dataset, *count) for dataset, one in found.items() for count in one[part].items()]
        yield gauge(name, text, ["dataset", label], rows)
    for name, (text, part) in _SINGLE.items():
        yield gauge(name, text, ["dataset"], [(dataset, one[part]) for dataset, one in found.items()])
    yield gauge("bad_share", "Of the rows read, those quarantined.", ["dataset"], _bad_shares(found))


def records_waiting(waiting: Mapping[str, int]) -> Iterator[Metric]:
    """From what `submissions.gathering.waiting` says."""
    yield gauge("records_waiting", "Records accepted, in no drop yet.", ["dataset"], waiting.items())


def _bad_shares(found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    for dataset, one in found.items():
        if read := one["rows"].get("read"):
            yield dataset, one["rows"]["quarantined"] / read
