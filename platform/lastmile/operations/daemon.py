"""Whether Dagster's daemon is up, by its own heartbeats in Postgres, without importing Dagster."""

from typing import Literal

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, UndefinedTable

#: A daemon that has not been heard of for so long is away.
AWAY_SECONDS = 120.0


def daemon(connection: Connection) -> Literal["ready", "away"]:
    """Away, it starts nothing; what is requested meanwhile is made when it is back. Not to be called in a transaction:
    where Dagster keeps its storage elsewhere, the query fails."""
    seconds = last_heartbeat_seconds(connection)
    return "away" if seconds is None or seconds > AWAY_SECONDS else "ready"


def last_heartbeat_seconds(connection: Connection) -> float | None:
    """How long ago the daemon was last heard of; None where it never was, or Dagster keeps its storage elsewhere."""
    try:
        row = connection.execute(
            "SELECT extract(epoch FROM now() - max(timestamp))::float8 FROM dagster.daemon_heartbeats"
        ).fetchone()
    except (UndefinedTable, InsufficientPrivilege):
        return None
    return row[0] if row else None
