"""Whether a source is as it usually is: how old its newest records are, and how many came."""

from datetime import UTC, datetime, timedelta

#: So few records more or less say nothing.
_FEW = 10


def stale(newest: datetime | None, after: timedelta | None) -> list[str]:
    """The reason, where the newest fetch that brought records is too old."""
    if after is None or newest is None or datetime.now(UTC) - newest <= after:
        return []
    return [f"records came last at {newest:%Y-%m-%d %H:%M} UTC; expected some every {after}"]


def unusual_count(records: int, before: int | None, factor: float) -> list[str]:
    """The reason, where a fetch has many more or fewer records than the one before."""
    if before is None or (abs(records - before) <= _FEW and bool(records) == bool(before)):
        return []
    if before <= records * factor and records <= before * factor:
        return []
    return [
        f"{records:,} records came, and {before:,} the time before; expected at most {factor:g} times more or fewer"
    ]
