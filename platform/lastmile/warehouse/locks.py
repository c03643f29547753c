"""Locks that workers of the intake hold on what is no row, each until its transaction ends."""

from collections.abc import Iterable
from enum import IntEnum

from psycopg import Connection


class Lock(IntEnum):
    """What is locked: the versions of an object's key, a dataset's partition, or a dataset's drops of the same bytes.

    Whoever holds several kinds takes them in the order of `OBJECT`, `CONTENT`, `PARTITION`: nobody waits in a circle.
    """

    OBJECT = 0
    PARTITION = 1
    CONTENT = 3


def lock(connection: Connection, kind: Lock, names: Iterable[str]) -> None:
    """Wait for all of these names, always in the same order."""
    connection.execute(
        """
        SELECT pg_advisory_xact_lock(place) FROM (
            SELECT DISTINCT hashtextextended(name, %s) AS place FROM unnest(%s::text[]) name ORDER BY place) places
        """,
        [int(kind), list(names)],
    )
