"""Runs and fetches of sources that only describe the past.

What the present is read from stays, however old: of runs the newest, of each outcome the last two, and the first of a
source that never landed anything; of fetches the newest, all since the last that is loaded, and what is not loaded yet.
Incremental fetches stay as well: by their digests, eight bytes a record, a record that comes again is known, and by
their keys no later fetch replaces them. Those of them that were replaced before they were loaded go.
"""

from collections.abc import Iterator
from datetime import datetime

from psycopg import Connection

from lastmile.sources.cursors import with_fates

#: Newest runs and fetches of a source that stay: drops of the last fetches may be discarded yet.
MARGIN = 20
_AT_ONCE = 5_000
_OLD_RUNS = f"""
    SELECT id FROM (
        SELECT id, state, started_at, row_number() OVER (PARTITION BY source ORDER BY id DESC) AS place,
            row_number() OVER (PARTITION BY source, state ORDER BY id DESC) AS place_of_state,
            NOT bool_or(state = 'landed') OVER (PARTITION BY source) AND id = min(id) OVER (PARTITION BY source)
                AS is_first
        FROM sources.runs
    ) runs
    WHERE started_at < %s AND state <> 'running' AND place > {MARGIN} AND place_of_state > 2 AND NOT is_first
"""


def old_runs(connection: Connection, before: datetime) -> list[int]:
    """Numbers of runs that began before."""
    return [number for (number,) in connection.execute(_OLD_RUNS.encode(), [before])]


def forget_runs(connection: Connection, before: datetime) -> int:
    return _delete(connection, "runs", old_runs(connection, before))


def old_fetches(connection: Connection, before: datetime) -> list[int]:
    """Numbers of fetches that began before."""
    some = connection.execute("SELECT DISTINCT source, store FROM sources.fetches WHERE begun_at < %s", [before])
    return [number for source, store in some.fetchall() for number in _old(connection, store, source, before)]


def forget_fetches(connection: Connection, before: datetime) -> int:
    return _delete(connection, "fetches", old_fetches(connection, before))


def _old(connection: Connection, store: str, source: str, before: datetime) -> Iterator[int]:
    keys, is_behind = set[str](), False
    for place, (one, fate) in enumerate(with_fates(connection, store, source)):
        is_pending = fate in ("waiting", "held")
        goes = one.key in keys if is_pending else not one.is_incremental
        if goes and is_behind and place >= MARGIN and one.begun_at < before:
            yield one.id
        keys.add(one.key)
        is_behind |= fate == "loaded"


def _delete(connection: Connection, table: str, numbers: list[int]) -> int:
    for first in range(0, len(numbers), _AT_ONCE):
        statement = f"DELETE FROM sources.{table} WHERE id = ANY (%s)"
        connection.execute(statement.encode(), [numbers[first : first + _AT_ONCE]])
    return len(numbers)
