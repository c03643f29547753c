"""Whether a stream is where it should be: read as far as there is something to be read, and as fresh as expected."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lastmile.streaming.status import StreamStatus

LAG, FRESHNESS = "lag", "freshness"
#: A stream that is read commits every second.
_LONGEST_SILENCE = timedelta(minutes=1)


@dataclass(frozen=True)
class Verdict:
    name: str
    passed: bool
    said: str


def verdicts(
    status: StreamStatus | None, stream: str, expected_every: timedelta | None, now: datetime | None = None
) -> Iterator[Verdict]:
    """Of a stream as it stands; None: it was never read. `expected_every` is what its contract says of arrivals."""
    now = now or datetime.now(UTC)
    if status is None:
        yield Verdict(LAG, False, f"it was never read: start `lastmile stream run {stream}`")
        yield Verdict(FRESHNESS, expected_every is None, "no event has come yet")
        return
    yield _lag(status, now)
    yield _freshness(status, expected_every, now)


def _lag(status: StreamStatus, now: datetime) -> Verdict:
    waiting = f"{status.lag or 0:,} messages wait"
    if not status.lag:
        return Verdict(LAG, True, "no message waits")
    if not status.consumers:
        return Verdict(LAG, False, f"{waiting} and no process reads it: start `lastmile stream run {status.stream}`")
    if status.committed_at is None or now - status.committed_at > _LONGEST_SILENCE:
        why = f": {status.problem}" if status.problem else ""
        return Verdict(LAG, False, f"{waiting}, and nothing was committed since {status.committed_at}{why}")
    return Verdict(LAG, True, f"{waiting}, and are being read")


def _freshness(status: StreamStatus, expected_every: timedelta | None, now: datetime) -> Verdict:
    if status.newest_event is None:
        return Verdict(FRESHNESS, expected_every is None, "no event has come yet")
    age = now - status.newest_event
    said = f"its newest event is of {status.newest_event:%Y-%m-%d %H:%M:%S} UTC"
    if expected_every is None:
        return Verdict(FRESHNESS, True, f"{said}; its contract does not say how often one is expected")
    return Verdict(FRESHNESS, age <= expected_every, f"{said}; one is expected every {expected_every}")
