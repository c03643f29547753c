"""One clean-up at a time in an installation."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import Connection

from lastmile.errors import UserError


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """While no other is at work: a second would put back what the first has moved away. Raises UserError."""
    lock = "(hashtextextended('clean-up', 30))"
    (free,) = connection.execute(f"SELECT pg_try_advisory_lock{lock}").fetchone() or (False,)
    if not free:
        raise UserError("another clean-up is under way; wait until it is done")
    try:
        yield
    finally:
        connection.execute(f"SELECT pg_advisory_unlock{lock}")
