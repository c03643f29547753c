"""How far each partition of a stream was read: claimed when it is assigned, moved in the transaction of each batch.

The consumer group says who reads a partition, this says from where. An assignment raises the partition's generation,
and a commit holds the rows of its partitions and finds the generation it began with, or commits nothing: a process that
was thought dead and wakes up again does no harm.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.errors import LockNotAvailable
from psycopg.rows import class_row

#: How long a claim waits for a commit that is under way.
_LOCKED_SECONDS = 5


class Fenced(Exception):
    """A partition was assigned to another process, or read further than this one knows; the batch is dropped."""


@dataclass(frozen=True)
class Claimed:
    """A partition as it was when it was assigned. `committed` and `landed` are next offsets, None before the first."""

    partition: int
    generation: int
    committed: int | None
    landed: int | None
    event_time: datetime | None


@dataclass(frozen=True)
class Move:
    """What a batch has of one partition: the offset it begins from, as committed before, and the one it ends at."""

    partition: int
    generation: int
    before: int | None
    after: int
    event_time: datetime | None = None
    events: int = 0
    late: int = 0
    duplicate: int = 0
    quarantined: int = 0


_GROUP = """
INSERT INTO streams.groups AS g (stream, name)
VALUES (%(stream)s, 'lastmile.' || %(stream)s || '.' || left(gen_random_uuid()::text, 8))
ON CONFLICT (stream) DO UPDATE SET name = g.name RETURNING name
"""
#: All partitions of the topic hold back the watermark, also those that another process is about to claim: after a time
#: in which none was read, each has as long as any other to show what it has.
_KNOWN = """
INSERT INTO streams.positions (stream, topic, partition, consumer, generation)
SELECT %(stream)s, %(topic)s, partition, '', 0 FROM unnest(%(every)s::int[]) partition ORDER BY partition
ON CONFLICT (stream, topic, partition) DO UPDATE SET read_at = clock_timestamp()
"""
#: Partitions that were added. What is in them is not known: they count as having a message until one reads them.
_ADDED = """
INSERT INTO streams.positions (stream, topic, partition, consumer, generation, end_offset)
SELECT %(stream)s, %(topic)s, partition, '', 0, 1 FROM unnest(%(added)s::int[]) partition ORDER BY partition
ON CONFLICT (stream, topic, partition) DO NOTHING
"""
_CLAIM = """
INSERT INTO streams.positions AS p (stream, topic, partition, consumer)
SELECT %(stream)s, %(topic)s, partition, %(consumer)s FROM unnest(%(partitions)s::int[]) partition ORDER BY partition
ON CONFLICT (stream, topic, partition) DO UPDATE
    SET generation = p.generation + 1, consumer = excluded.consumer, read_at = clock_timestamp()
RETURNING partition, generation, committed, landed, event_time
"""
#: Sessions that hold a partition and wait for their client, in the midst of a COPY where no timeout of idleness ends
#: them.
_END_HANGING = """
SELECT pg_terminate_backend(a.pid) FROM streams.positions p
JOIN pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = p.xmax AND l.mode = 'ExclusiveLock' AND l.granted
JOIN pg_stat_activity a USING (pid)
WHERE p.stream = %(stream)s AND p.topic = %(topic)s AND a.wait_event = 'ClientRead' AND a.pid <> pg_backend_pid()
"""
_HELD = """
SELECT partition, generation, committed FROM streams.positions
WHERE stream = %(stream)s AND topic = %(topic)s AND partition = ANY(%(partitions)s)
ORDER BY partition FOR UPDATE
"""
_MOVE = """
UPDATE streams.positions p SET committed = m.after, event_time = greatest(p.event_time, m.event_time),
    committed_at = clock_timestamp(), read_at = clock_timestamp(), events = p.events + m.events,
    late = p.late + m.late, duplicate = p.duplicate + m.duplicate, quarantined = p.quarantined + m.quarantined
FROM unnest(%(partitions)s::int[], %(after)s::bigint[], %(times)s::timestamptz[], %(events)s::bigint[],
    %(late)s::bigint[], %(duplicate)s::bigint[], %(quarantined)s::bigint[])
    m (partition, after, event_time, events, late, duplicate, quarantined)
WHERE p.stream = %(stream)s AND p.topic = %(topic)s AND p.partition = m.partition
"""
_SEEN = """
UPDATE streams.positions p SET end_offset = coalesce(seen.end_offset, p.end_offset),
    read_at = CASE WHEN seen.is_behind THEN clock_timestamp() ELSE p.read_at END
FROM unnest(%(partitions)s::int[], %(ends)s::bigint[], %(behind)s::bool[]) seen (partition, end_offset, is_behind)
WHERE p.stream = %(stream)s AND p.topic = %(topic)s AND p.partition = seen.partition
    AND (seen.is_behind OR p.end_offset IS DISTINCT FROM coalesce(seen.end_offset, p.end_offset))
"""
#: Of partitions that are read or have something to be read, the one that is furthest behind; where none is, the one
#: that is furthest ahead. Nothing while one of them has had no event yet.
_WATERMARK = """
SELECT CASE
    WHEN bool_or(active AND event_time IS NULL) THEN NULL
    WHEN bool_or(active) THEN min(event_time) FILTER (WHERE active)
    ELSE max(event_time) END - %(lateness)s
FROM (SELECT event_time,
        read_at > clock_timestamp() - %(idle_after)s::interval OR coalesce(committed, 0) < end_offset AS active
      FROM streams.positions WHERE stream = %(stream)s AND topic = %(topic)s) partitions
"""
_ADVANCE = """
INSERT INTO streams.watermarks AS w (stream, watermark) VALUES (%s, %s)
ON CONFLICT (stream) DO UPDATE SET watermark = excluded.watermark, advanced_at = clock_timestamp()
WHERE w.watermark < excluded.watermark
"""


def group(connection: Connection, stream: str) -> str:
    """The consumer group of the stream, of this database alone: another installation reads all of the topic as well."""
    row = connection.execute(_GROUP, {"stream": stream}).fetchone()
    return str(row[0]) if row else ""


def claim(
    connection: Connection, stream: str, topic: str, partitions: Collection[int], every: Collection[int], consumer: str
) -> list[Claimed]:
    """The partitions as they are, their generation raised: who had them before commits nothing more.

    `every` are all that the topic has. Raises LockNotAvailable where one of them is being committed for long; a session
    that hangs meanwhile, because its process is suspended or its host gone, is ended.
    """
    own = {"stream": stream, "topic": topic, "consumer": consumer}
    values = {**own, "partitions": sorted(partitions), "every": sorted(every)}
    try:
        with connection.transaction(), connection.cursor(row_factory=class_row(Claimed)) as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{_LOCKED_SECONDS}s"])
            cursor.execute(_KNOWN, values)
            return cursor.execute(_CLAIM, values).fetchall()
    except LockNotAvailable:
        connection.execute(_END_HANGING, values)
        raise


def add(connection: Connection, stream: str, topic: str, partitions: Collection[int]) -> None:
    """Let the watermark wait for those of the partitions that were not known."""
    connection.execute(_ADDED, {"stream": stream, "topic": topic, "added": sorted(partitions)})


def hold(connection: Connection, stream: str, topic: str, moves: Sequence[Move]) -> bool:
    """Lock the rows of a batch's partitions until the transaction ends; False where the batch is committed already.

    Raises Fenced where one of them is another's by now, or does not stand where the batch begins.
    """
    if not moves:
        return True
    wanted = {move.partition: move for move in moves}
    values = {"stream": stream, "topic": topic, "partitions": list(wanted)}
    found = {partition: rest for partition, *rest in connection.execute(_HELD, values).fetchall()}
    lost = [partition for partition, move in wanted.items() if found.get(partition, [0])[0] != move.generation]
    if lost:
        raise Fenced(f"stream {stream}: partitions {lost} of {topic} were assigned anew")
    if all(found[move.partition][1] == move.after for move in moves):
        return False
    if other := [move.partition for move in moves if found[move.partition][1] != move.before]:
        raise Fenced(f"stream {stream}: partitions {other} of {topic} do not stand where this batch begins")
    return True


def move(connection: Connection, stream: str, topic: str, moves: Sequence[Move]) -> None:
    """Set the positions of rows that are held."""
    if not moves:
        return
    connection.execute(
        _MOVE,
        {
            "stream": stream,
            "topic": topic,
            "partitions": [one.partition for one in moves],
            "after": [one.after for one in moves],
            "times": [one.event_time for one in moves],
            "events": [one.events for one in moves],
            "late": [one.late for one in moves],
            "duplicate": [one.duplicate for one in moves],
            "quarantined": [one.quarantined for one in moves],
        },
    )


def see(
    connection: Connection, stream: str, topic: str, ends: Mapping[int, int | None], behind: Collection[int]
) -> None:
    """Remember the ends of partitions; those of `behind` have messages to be read, so they are not idle."""
    values = {"partitions": list(ends), "ends": list(ends.values()), "behind": [one in behind for one in ends]}
    connection.execute(_SEEN, {"stream": stream, "topic": topic, **values})


def watermark(
    connection: Connection, stream: str, topic: str, lateness: timedelta, idle_after: timedelta
) -> datetime | None:
    """The watermark as the partitions stand, never before the one it was; None before there is one."""
    values = {"stream": stream, "topic": topic, "lateness": lateness, "idle_after": idle_after}
    (new,) = connection.execute(_WATERMARK, values).fetchone() or (None,)
    before = stored_watermark(connection, stream)
    return max(filter(None, (new, before)), default=None)


def stored_watermark(connection: Connection, stream: str) -> datetime | None:
    """The watermark of the last commit."""
    row = connection.execute("SELECT watermark FROM streams.watermarks WHERE stream = %s", [stream]).fetchone()
    return row[0] if row else None


def advance(connection: Connection, stream: str, to: datetime) -> None:
    """Set the watermark; it never goes back. All processes of a stream write this row: last in a transaction."""
    connection.execute(_ADVANCE, [stream, to])


def record_gap(connection: Connection, stream: str, topic: str, partition: int, first: int, following: int) -> None:
    """Messages that are gone."""
    connection.execute(
        "INSERT INTO streams.gaps (stream, topic, partition, first_offset, next_offset) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        [stream, topic, partition, first, following],
    )
