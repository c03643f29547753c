"""Whether Dagster's daemon is up, by its own heartbeats in Postgres, without importing Dagster."""

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, UndefinedTable


def last_heartbeat_seconds(connection: Connection) -> float | None:
    """How long ago the daemon was last heard of; None where it never was, or Dagster keeps its storage elsewhere."""
    try:
        row = connection.execute(
            "SELECT extract(epoch FROM now() - max(timestamp))::float8 FROM dagster.daemon_heartbeats"
        ).fetchone()
    except (UndefinedTable, InsufficientPrivilege):
        return None
    return row[0] if row else None
