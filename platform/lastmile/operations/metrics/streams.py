"""How streams stand: events, how far behind they are, their watermarks, what was late or left out.

All of it is committed with the events, so it is the same whichever process reads them.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from prometheus_client import Metric
from psycopg import Connection

from lastmile.operations.metrics.family import counter, gauge
from lastmile.quarantine.watched import left_out
from lastmile.streaming.status import StreamStatus, lags, statuses
from lastmile.streaming.watched import watched

_WITHIN = timedelta(hours=1)
#: A stream that is begun anew begins at 0.
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
    "commit_age_seconds": ("Since the last commit of a message.", lambda one, now: _age(one.committed_at, now)),
    "consumers": ("Processes that read it.", lambda one, now: one.consumers),
    "gone_messages": ("Messages that the broker deleted before they were read.", lambda one, now: one.gone),
}


def streams(connection: Connection) -> Iterator[Metric]:
    """All that were ever read."""
    found, now = statuses(connection), datetime.now(UTC)
    for name, text in _COUNTS.items():
        yield counter(f"stream_{name}", text, ["stream"], [(one.stream, getattr(one, name)) for one in found])
    for name, (text, value) in _GAUGES.items():
        yield gauge(f"stream_{name}", text, ["stream"], [(one.stream, value(one, now)) for one in found])
    yield gauge(
        "stream_partition_lag_messages", "The same of each partition.", ["stream", "partition"], lags(connection)
    )
    signs = [(one.stream, one.sign_seconds) for one in watched(connection)]
    yield gauge("stream_sign_age_seconds", "Since a process that reads it gave a sign of life.", ["stream"], signs)
    rows = [(row["stream"], row["rule"], row["messages"]) for row in left_out(connection, _WITHIN)]
    yield gauge("stream_left_out", "Left out in the last hour, late ones apart.", ["stream", "rule"], rows)


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, (now - at).total_seconds())
