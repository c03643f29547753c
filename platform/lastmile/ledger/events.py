"""What happened to a drop and when, one row each: next to its state, for people to read."""

from psycopg import Connection


def record_event(connection: Connection, drop_id: int, state: str, run_id: str | None, message: str | None) -> None:
    connection.execute(
        "INSERT INTO ledger.events (drop_id, state, run_id, message) VALUES (%s, %s, %s, %s)",
        [drop_id, state, run_id, message],
    )


def add_event(connection: Connection, drop_id: int, message: str) -> None:
    """Record something that leaves the drop's state as it is."""
    connection.execute(
        "INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, %s FROM ledger.drops WHERE id = %s",
        [message, drop_id],
    )
