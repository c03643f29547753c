"""What has ended since the last look, found in tables that Dagster writes; so that a counter counts each once.

A table is looked at over a window that reaches back behind the last look: what was committed late is found all the
same, and what was there before is known by its number.
"""

import time
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

#: Longer than any transaction of Dagster's, and than any tick.
_OVERLAP_SECONDS = 600.0


class Recent:
    """Rows of a statement with a column `id` and the parameters `since`, in seconds since the epoch, and `seen`."""

    def __init__(self, statement: str) -> None:
        self._statement = statement
        self._seen: dict[int, float] = {}
        self._looked_at: float | None = None

    def new(self, connection: Connection) -> list[dict[str, Any]]:
        """What was not there at the last look; at the first look nothing counts as new."""
        now, is_first = time.time(), self._looked_at is None
        since = (now if self._looked_at is None else self._looked_at) - _OVERLAP_SECONDS
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(self._statement.encode(), {"since": since, "seen": list(self._seen)}).fetchall()
        self._seen.update({row["id"]: now for row in rows})
        self._seen = {number: seen for number, seen in self._seen.items() if seen >= since}
        self._looked_at = now
        return [] if is_first else rows
