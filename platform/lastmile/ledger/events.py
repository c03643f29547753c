"""What happened to a drop and when, one row each: beside its state, for people to read."""

from psycopg import Connection


def record_event(connection: Connection, drop_id: int, state: str, run_id: str | None, message: str | None) -> None:
    connection.execute(
        "INSERT INTO ledger.events (drop_id, state, run_id, message) VALUES (%s, %s, %s, %s)",
        [drop_id, state, run_id, message],
    )
