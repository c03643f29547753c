"""Metrics of spans: how long each kind of work took, about what, how many rows and bytes it moved, how it failed.

One family for all spans, by `work` (the span's name) and what it is about. A new span is counted without a line here,
and identifiers, which have no end, are never labels.
"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

#: What a span may be about: attributes whose values are declared, so that there are few of them.
SUBJECTS = ("dataset", "model")
#: Combinations of labels of one process; what is beyond counts as `other`.
MOST = 500
_OTHER = "other"
#: The error of work that failed though nothing was raised, such as a drop that is quarantined whole.
_REPORTED = "reported"
#: From a commit of a hundred microseconds to a training of an hour.
_BUCKETS = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 10, 30, 120, 600, 3600)

Labels = tuple[str, ...]


class Work:
    """A listener of spans whose metrics are on a registry; without one they are only kept where values are."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        labels = ["work", *SUBJECTS]
        self._seconds = Histogram(
            "lastmile_work_seconds", "How long each piece of work took.", labels, buckets=_BUCKETS, registry=registry
        )
        self._rows = Counter("lastmile_work_rows", "Rows that the work was about.", labels, registry=registry)
        self._bytes = Counter("lastmile_work_bytes", "Bytes that the work was about.", labels, registry=registry)
        self._errors = Counter(
            "lastmile_work_errors", "Work that ended in an error, by its type.", [*labels, "error"], registry=registry
        )
        self._known: dict[Labels, tuple[Histogram, Counter, Counter]] = {}
        self._failed: set[Labels] = set()

    def started(self, name: str, attributes: dict[str, Any]) -> None:
        """Nothing is kept of what is under way."""

    def ended(
        self,
        state: Any,  # noqa: ARG002  # as every listener's
        name: str,
        attributes: dict[str, Any],
        seconds: float,
        error: BaseException | None,
    ) -> None:
        labels = self._labels(name, attributes)
        spent, rows, size = self._metrics(labels)
        spent.observe(seconds)
        rows.inc(_number(attributes, "rows"))
        size.inc(_number(attributes, "bytes"))
        if error is not None or attributes.get("problem"):
            kind = type(error).__name__ if error else _REPORTED
            self._errors.labels(*labels, self._error(labels, kind)).inc()

    def _labels(self, name: str, attributes: Mapping[str, Any]) -> Labels:
        labels = (name, *(str(attributes.get(subject) or "") for subject in SUBJECTS))
        if labels in self._known or len(self._known) < MOST:
            return labels
        return (name if any(name == known for known, *_ in self._known) else _OTHER, *(_OTHER for _ in SUBJECTS))

    def _metrics(self, labels: Labels) -> tuple[Histogram, Counter, Counter]:
        if labels not in self._known:
            self._known[labels] = (
                self._seconds.labels(*labels),
                self._rows.labels(*labels),
                self._bytes.labels(*labels),
            )
        return self._known[labels]

    def _error(self, labels: Labels, kind: str) -> str:
        failed = (*labels, kind)
        if failed not in self._failed and len(self._failed) >= MOST:
            return _OTHER
        self._failed.add(failed)
        return kind


def _number(attributes: Mapping[str, Any], name: str) -> float:
    """What a counter can be raised by: a span may carry any text."""
    found = attributes.get(name)
    return float(found) if isinstance(found, int | float) and found > 0 else 0.0
