"""Which ranges of offsets become drops: decided in Postgres before their objects are written.

After a death the partition is read again from where it was landed, and a range that was decided is gathered and written
again exactly: the same key and the same content, so it is the same drop.
"""

from dataclasses import dataclass
from datetime import date

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.streaming.consumer.positions import Fenced


@dataclass(frozen=True)
class Segment:
    """A range of a partition's offsets, both ends included. `day` is the one on which it was decided."""

    partition: int
    first_offset: int
    last_offset: int
    day: date


_INTENT = """
INSERT INTO streams.segments (stream, topic, partition, first_offset, last_offset, dataset, day)
SELECT %(stream)s, %(topic)s, %(partition)s, %(first_offset)s, %(last_offset)s, %(dataset)s, %(day)s
FROM streams.positions WHERE stream = %(stream)s AND topic = %(topic)s AND partition = %(partition)s
    AND generation = %(generation)s FOR UPDATE
ON CONFLICT (stream, topic, partition, first_offset) DO UPDATE SET written_at = clock_timestamp()
    WHERE segments.last_offset = excluded.last_offset AND segments.landed_at IS NULL
"""
_LANDED = """
WITH moved AS (
    UPDATE streams.positions SET landed = %(last_offset)s + 1
    WHERE stream = %(stream)s AND topic = %(topic)s AND partition = %(partition)s AND generation = %(generation)s
    RETURNING 1
)
UPDATE streams.segments SET landed_at = clock_timestamp(), rows = %(rows)s, bytes = %(bytes)s
WHERE stream = %(stream)s AND topic = %(topic)s AND partition = %(partition)s AND first_offset = %(first_offset)s
    AND EXISTS (SELECT FROM moved)
"""
_PENDING = """
SELECT partition, first_offset, last_offset, day FROM streams.segments
WHERE stream = %s AND topic = %s AND partition = ANY(%s) AND landed_at IS NULL
"""


@dataclass(frozen=True)
class Segments:
    """The segments of one stream."""

    stream: str
    topic: str
    dataset: str

    def decide(self, connection: Connection, segment: Segment, generation: int) -> None:
        """Record that the range becomes drops. Raises Fenced where the partition is another's by now."""
        with connection.transaction():
            if connection.execute(_INTENT, self._values(segment, generation)).rowcount != 1:
                raise Fenced(f"stream {self.stream}: partition {segment.partition} was assigned anew")

    def done(self, connection: Connection, segment: Segment, generation: int, rows: int, size: int) -> None:
        """Record that it has. Raises Fenced as `decide` does: then the other one writes the same again."""
        values = {**self._values(segment, generation), "rows": rows, "bytes": size}
        if connection.execute(_LANDED, values).rowcount != 1:
            raise Fenced(f"stream {self.stream}: partition {segment.partition} was assigned anew")

    def pending(self, connection: Connection, partitions: list[int]) -> dict[int, Segment]:
        """Ranges of these partitions that were decided and perhaps not written."""
        with connection.cursor(row_factory=class_row(Segment)) as cursor:
            found = cursor.execute(_PENDING, [self.stream, self.topic, partitions]).fetchall()
        return {one.partition: one for one in found}

    def _values(self, segment: Segment, generation: int) -> dict[str, object]:
        own = {"stream": self.stream, "topic": self.topic, "dataset": self.dataset}
        return {**vars(segment), **own, "generation": generation}
