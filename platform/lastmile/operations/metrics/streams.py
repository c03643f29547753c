"""How streams stand: events, how far behind they are, their watermarks, what was late or left out."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from prometheus_client import Metric
from psycopg import Connection

from lastmile.operations.metrics.family import counter, gauge
from lastmile.streaming.status import StreamStatus, statuses

_COUNTS: dict[str, str] = {
    "events": "Events in windows.",
    "late": "Events that came after the time they were expected by.",
    "duplicate": "Events that had come before.",
    "quarantined": "Messages and events that were left out.",
}
_GAUGES: dict[str, tuple[str, Callable[[StreamStatus, datetime], float | None]]] = {
    "lag_messages": ("Messages in the topic that are not committed.", lambda one, now: one.lag),
    "unlanded_messages": ("Committed messages that are in no drop yet.", lambda one, now: one.unlanded),
    "late_share": ("Late events of all events.", lambda one, now: one.late_share),
    "watermark_age_seconds": ("From the watermark to now.", lambda one, now: _age(one.watermark, now)),
    "commit_age_seconds": ("Since the last commit.", lambda one, now: _age(one.committed_at, now)),
    "consumers": ("Processes that read it.", lambda one, now: one.consumers),
    "gone_messages": ("Messages that the broker deleted before they were read.", lambda one, now: one.gone),
}


def streams(connection: Connection) -> Iterator[Metric]:
    found, now = statuses(connection), datetime.now(UTC)
    for name, text in _COUNTS.items():
        yield counter(f"stream_{name}", text, ["stream"], [(one.stream, getattr(one, name)) for one in found])
    for name, (text, value) in _GAUGES.items():
        yield gauge(f"stream_{name}", text, ["stream"], [(one.stream, value(one, now)) for one in found])


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, (now - at).total_seconds())
