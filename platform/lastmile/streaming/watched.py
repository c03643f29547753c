"""What alerts go by: how all streams stand, by what is committed with their events."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import class_row

_WATCHED = """
SELECT stream, lag, events, late, problem, gone,
    extract(epoch FROM clock_timestamp() - committed_at)::float8 AS silent_seconds,
    extract(epoch FROM clock_timestamp() - sign_at)::float8 AS sign_seconds,
    extract(epoch FROM clock_timestamp() - coalesce(committed_at, claimed_at))::float8 AS idle_seconds
FROM (SELECT stream, max(heartbeat_at) AS heartbeat_at, (array_agg(problem ORDER BY heartbeat_at DESC))[1] AS problem
      FROM streams.consumers GROUP BY stream) consumers
FULL JOIN (SELECT stream, max(committed_at) AS committed_at, min(read_at) AS claimed_at, max(read_at) AS read_at,
        sum(events)::bigint AS events, sum(late)::bigint AS late,
        sum(greatest(end_offset - coalesce(committed, 0), 0))::bigint AS lag
      FROM streams.positions GROUP BY stream) positions USING (stream)
LEFT JOIN (SELECT stream, sum(next_offset - first_offset)::bigint AS gone FROM streams.gaps
      WHERE at > clock_timestamp() - %(day)s GROUP BY stream) gaps USING (stream)
CROSS JOIN LATERAL (SELECT greatest(heartbeat_at, read_at, committed_at) AS sign_at) signs
ORDER BY stream
"""
_SIGNS = """
SELECT DISTINCT ON (stream) stream, extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS seconds, problem
FROM streams.consumers WHERE host = %s AND heartbeat_at > clock_timestamp() - interval '1 hour'
ORDER BY stream, heartbeat_at DESC
"""
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class WatchedStream:
    """`silent_seconds` is how long ago the newest message was committed, None before the first; `sign_seconds` how long
    ago a process gave a sign of life; `idle_seconds` how long none of what waits was committed, where anything waits.
    `events` and `late` are counted since the beginning, `gone` in the last day."""

    stream: str
    lag: int | None
    events: int | None
    late: int | None
    problem: str | None
    gone: int | None
    silent_seconds: float | None
    sign_seconds: float
    idle_seconds: float | None


def watched(connection: Connection) -> list[WatchedStream]:
    """All streams that any process ever read."""
    with connection.cursor(row_factory=class_row(WatchedStream)) as cursor:
        return cursor.execute(_WATCHED.encode(), {"day": _DAY}).fetchall()


@dataclass(frozen=True)
class Sign:
    """How long ago a process of a machine gave a sign of life, and what keeps it from its work."""

    stream: str
    seconds: float
    problem: str | None


def signs_of(connection: Connection, host: str) -> list[Sign]:
    """Of each stream that a process of that machine reads, or read until an hour ago and did not leave, the newest."""
    with connection.cursor(row_factory=class_row(Sign)) as cursor:
        return cursor.execute(_SIGNS, [host]).fetchall()


@dataclass(frozen=True)
class Counted:
    """How many events of a stream there were at a moment, late ones apart."""

    at: datetime
    events: int
    late: int


def late_share(before: Counted, after: Counted, fewest: int) -> float | None:
    """Of the events between two moments, the share of late ones; None where so few came that it says nothing."""
    late = after.late - before.late
    events = late + after.events - before.events
    return late / events if events >= fewest else None
