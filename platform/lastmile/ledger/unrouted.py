"""Objects of the landing area that fit no contract: registered with the reason, and never ingested as they are."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True)
class Unrouted:
    """`dataset` and `partition` are what its key says, of which at least one is wrong; `message` says what."""

    id: int
    key: str
    dataset: str
    partition: str
    message: str
    discovered_at: datetime


def unrouted(connection: Connection, store: str) -> list[Unrouted]:
    """Those that are there and not discarded, in order of their keys."""
    with connection.cursor(row_factory=class_row(Unrouted)) as cursor:
        return cursor.execute(
            """
            SELECT id, key, dataset, partition, coalesce(message, '') AS message, discovered_at FROM ledger.drops
            WHERE store = %s AND state = 'failed' AND settled_at IS NULL AND discarded_at IS NULL AND gone_at IS NULL
            ORDER BY key
            """,
            [store],
        ).fetchall()
