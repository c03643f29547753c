"""Which windows are being made anew: whatever commits to one of them adds to what is being made as well."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql
from psycopg.rows import class_row


@dataclass(frozen=True)
class Range:
    """From `first` to before `until`; None has no bound."""

    first: datetime | None = None
    until: datetime | None = None

    def holds(self, column: sql.Identifier) -> sql.Composed:
        """Whether the column is within, as SQL."""
        bounds = [
            sql.SQL("{} {} {}").format(column, sql.SQL(sign), sql.Literal(bound))
            for sign, bound in ((">=", self.first), ("<", self.until))
            if bound is not None
        ]
        return sql.SQL(" AND ").join(bounds) if bounds else sql.Composed([sql.SQL("true")])


def replayed_range(connection: Connection, window: str) -> Range | None:
    """The range of the replay of a window that is under way. Read within the transaction that holds the positions."""
    with connection.cursor(row_factory=class_row(Range)) as cursor:
        return cursor.execute(
            "SELECT first, until FROM streams.replays WHERE window_name = %s AND ended_at IS NULL", [window]
        ).fetchone()
