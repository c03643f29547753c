"""Advisory locks of workers on things that have no row to lock, each held until its transaction ends."""

from collections.abc import Iterable
from enum import IntEnum

from psycopg import Connection


class Lock(IntEnum):
    """What is locked: the versions of an object's key, a dataset's partition, or a dataset's drops of the same bytes.

    To avoid deadlocks, several kinds are acquired in the order `OBJECT`, `CONTENT`, `PARTITION`.
    """

    OBJECT = 0
    PARTITION = 1
    CONTENT = 3


def lock(connection: Connection, kind: Lock, names: Iterable[str]) -> None:
    """Lock all of these names, in an order that is the same for every worker; waits for each."""
    connection.execute(
        """
        SELECT pg_advisory_xact_lock(place) FROM (
            SELECT DISTINCT hashtextextended(name, %s) AS place FROM unnest(%s::text[]) name ORDER BY place) places
        """,
        [int(kind), list(names)],
    )
