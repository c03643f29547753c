"""How streams stand, by what is committed with their events; the same whichever process reads them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from prometheus_client import Metric
from psycopg import Connection

from lastmile.operations.metrics.family import counter, gauge
from lastmile.quarantine.watched import left_out
from lastmile.streaming.status import StreamStatus, lags, statuses
from lastmile.streaming.watched import WatchedStream, watched

_WITHIN = timedelta(hours=1)
#: Of each counter its text; a stream that is begun anew begins at 0.
_COUNTED = {
    "events": "Events committed, late ones that went to quarantine apart.",
    "late": "Events that came later than the stream allows.",
    "duplicate": "Events whose key had come before.",
    "quarantined": "Messages and events left out, late ones among them.",
}
_STANDING = {
    "unlanded": ("unlanded_messages", "Messages committed that are in no drop yet."),
    "consumers": ("consumers", "Processes that read it."),
    "late_share": ("late_share", "Of all events since the beginning, those that were late."),
    "gone": ("gone_messages", "Messages that the broker deleted before they were read."),
}


def streams(connection: Connection) -> Iterator[Metric]:
    """All that were ever read."""
    found = statuses(connection)
    for name, text in _COUNTED.items():
        yield counter(f"stream_{name}", text, ["stream"], [(one.stream, getattr(one, name)) for one in found])
    for name, (called, text) in _STANDING.items():
        yield gauge(f"stream_{called}", text, ["stream"], [(one.stream, getattr(one, name)) for one in found])
    yield gauge(
        "stream_lag_messages", "Messages that are not committed yet.", ["stream", "partition"], lags(connection)
    )
    yield from _times(found, watched(connection))
    yield gauge(
        "stream_left_out", "Messages and events left out in the last hour, late ones apart.", ["stream", "rule"],
        _numbers(left_out(connection, _WITHIN)),
    )  # fmt: skip


def _times(found: Sequence[StreamStatus], signs: Sequence[WatchedStream]) -> Iterator[Metric]:
    watermarks = [(one.stream, one.watermark.timestamp() if one.watermark else None) for one in found]
    yield gauge("stream_watermark_timestamp_seconds", "Time before which no event is expected.", ["stream"], watermarks)
    yield gauge(
        "stream_sign_age_seconds", "Since a process that reads it gave a sign of life.", ["stream"],
        [(one.stream, one.sign_seconds) for one in signs],
    )  # fmt: skip
    yield gauge(
        "stream_silent_seconds", "Since its newest message was committed.", ["stream"],
        [(one.stream, one.silent_seconds) for one in signs],
    )  # fmt: skip


def _numbers(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, int]]:
    for row in rows:
        yield row["stream"], row["rule"], row["messages"]
