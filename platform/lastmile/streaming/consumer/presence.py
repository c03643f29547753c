"""Which processes read a stream: a row for each, with the time of its last sign of life."""

import os
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg import Connection

#: How often a process shows that it is alive, and after how long without it its row is deleted.
BEAT_SECONDS = 2.0
_GONE = "interval '1 hour'"


@dataclass(frozen=True)
class Presence:
    """The row of this process."""

    stream: str
    consumer: str = field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}")

    def beat(self, connection: Connection, partitions: Sequence[int], problem: str | None) -> None:
        """Alive, with these partitions, and with what keeps it from its work."""
        connection.execute(
            "INSERT INTO streams.consumers (stream, consumer, host, pid, partitions, problem)"
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (stream, consumer) DO UPDATE SET"
            " heartbeat_at = clock_timestamp(), partitions = excluded.partitions, problem = excluded.problem",
            [self.stream, self.consumer, socket.gethostname(), os.getpid(), list(partitions), problem],
        )

    def leave(self, connection: Connection) -> None:
        """Delete the row, and those of processes that are gone."""
        connection.execute(
            f"DELETE FROM streams.consumers WHERE stream = %s AND consumer = %s OR heartbeat_at < now() - {_GONE}",
            [self.stream, self.consumer],
        )
