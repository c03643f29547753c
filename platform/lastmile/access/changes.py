"""Telling other processes that users, keys or sessions changed: what they remember of them is void."""

from psycopg import Connection

CHANNEL = "access_changes"


def announce(connection: Connection) -> None:
    """Sent when the transaction commits."""
    connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
