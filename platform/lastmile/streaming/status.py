"""How streams stand: how far behind they are, their watermarks, who reads them, what was late or left out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row

#: A process without a sign of life for so long is gone.
ALIVE_SECONDS = 15.0

_STATUS = """
SELECT p.stream, p.topic, count(*) AS partitions, sum(p.events)::bigint AS events, sum(p.late)::bigint AS late,
    sum(p.duplicate)::bigint AS duplicate, sum(p.quarantined)::bigint AS quarantined,
    sum(greatest(p.end_offset - coalesce(p.committed, 0), 0))::bigint AS lag,
    sum(CASE WHEN p.landed IS NOT NULL THEN greatest(p.committed - p.landed, 0) END)::bigint AS unlanded,
    max(p.event_time) AS newest_event, w.watermark, max(p.committed_at) AS committed_at,
    (SELECT count(*) FROM streams.consumers c WHERE c.stream = p.stream
        AND c.heartbeat_at > clock_timestamp() - %(alive)s * interval '1 second') AS consumers,
    (SELECT max(c.problem) FROM streams.consumers c WHERE c.stream = p.stream
        AND c.heartbeat_at > clock_timestamp() - %(alive)s * interval '1 second') AS problem,
    (SELECT coalesce(sum(g.next_offset - g.first_offset), 0)::bigint FROM streams.gaps g
        WHERE g.stream = p.stream) AS gone
FROM streams.positions p LEFT JOIN streams.watermarks w USING (stream)
WHERE %(stream)s::text IS NULL OR p.stream = %(stream)s
GROUP BY p.stream, p.topic, w.watermark ORDER BY p.stream
"""
_UNREAD = """
SELECT DISTINCT ON (c.stream) c.stream, c.problem FROM streams.consumers c
WHERE c.problem IS NOT NULL AND c.heartbeat_at > clock_timestamp() - %(alive)s * interval '1 second'
    AND (%(stream)s::text IS NULL OR c.stream = %(stream)s)
    AND NOT EXISTS (SELECT FROM streams.positions p WHERE p.stream = c.stream)
ORDER BY c.stream
"""
_LAGS = """
SELECT stream, partition, greatest(end_offset - coalesce(committed, 0), 0) FROM streams.positions
WHERE end_offset IS NOT NULL ORDER BY 1, 2
"""
_PARTITIONS = """
SELECT partition, consumer, generation, committed, landed, end_offset,
    greatest(end_offset - coalesce(committed, 0), 0) AS lag, event_time, read_at, committed_at, events, late, duplicate,
    quarantined
FROM streams.positions WHERE stream = %s ORDER BY partition
"""


@dataclass(frozen=True)
class StreamStatus:
    """One stream. `lag` are messages not committed, as of the ends last seen; `unlanded` committed ones that are in no
    drop yet; `gone` those that the broker deleted before they were read. Counts are of events since the beginning."""

    stream: str
    topic: str
    partitions: int
    events: int
    late: int
    duplicate: int
    quarantined: int
    lag: int | None
    unlanded: int | None
    newest_event: datetime | None
    watermark: datetime | None
    committed_at: datetime | None
    consumers: int
    problem: str | None
    gone: int

    @property
    def late_share(self) -> float:
        """Of all events."""
        return self.late / (self.events + self.late) if self.late else 0.0


def statuses(connection: Connection, stream: str | None = None) -> list[StreamStatus]:
    """Of all streams that were ever read, or of one."""
    with connection.cursor(row_factory=class_row(StreamStatus)) as cursor:
        return cursor.execute(_STATUS.encode(), {"stream": stream, "alive": ALIVE_SECONDS}).fetchall()


def unread(connection: Connection, stream: str | None = None) -> dict[str, str]:
    """Streams that were never read, each with what its process waits for."""
    return dict(connection.execute(_UNREAD.encode(), {"stream": stream, "alive": ALIVE_SECONDS}).fetchall())


def lags(connection: Connection) -> list[tuple[str, int, int]]:
    """Stream, partition, and the messages of it that are not committed, as of the end last seen."""
    return connection.execute(_LAGS).fetchall()


def partitions(connection: Connection, stream: str) -> list[dict[str, Any]]:
    """Each partition of a stream."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_PARTITIONS.encode(), [stream]).fetchall()
