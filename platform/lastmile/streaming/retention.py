"""What of streams only describes the past, and what killed replays left.

Segments go once they are landed and their partition is read from behind them; of the versions of a table that events
are looked up in the newest stays; of a window's replays the last, and one that is under way.
"""

from collections.abc import Iterator
from datetime import datetime

from psycopg import Connection

from lastmile.errors import UserError
from lastmile.streaming.replay.under_way import abandon, abandoned, only_one

#: What rows are, by which of a table they go.
_OLD = {
    "segments of streams": """
        streams.segments s WHERE landed_at < %(before)s AND EXISTS (
            SELECT FROM streams.positions p WHERE p.stream = s.stream AND p.topic = s.topic
            AND p.partition = s.partition AND p.landed > s.last_offset AND p.committed > s.last_offset)
    """,
    "replays of windows": """
        streams.replays r WHERE ended_at < %(before)s AND EXISTS (
            SELECT FROM streams.replays n WHERE n.window_name = r.window_name AND n.id > r.id)
    """,
    "versions of looked-up tables": """
        streams.lookups l WHERE seen_at < %(before)s AND EXISTS (
            SELECT FROM streams.lookups n
            WHERE n.stream = l.stream AND n.lookup = l.lookup AND n.version > l.version)
    """,
}


def old_rows(connection: Connection, before: datetime) -> dict[str, int]:
    """How many there are, by what they are; replays that no process is at any more among them."""
    found = {}
    for what, where in _OLD.items():
        ((rows,),) = connection.execute(f"SELECT count(*) FROM {where}".encode(), {"before": before}).fetchall()
        found[what] = int(rows)
    return found | {"replays that were killed": sum(1 for _ in _killed(connection))}


def forget_rows(connection: Connection, before: datetime) -> dict[str, int]:
    """Remove them. `connection` must be in autocommit mode."""
    killed = 0
    for stream in _killed(connection):
        abandon(connection, stream)
        killed += 1
    found = {}
    for what, where in _OLD.items():
        table, alias = where.split()[:2]
        statement = f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT {alias}.ctid FROM {where} LIMIT 5000))"
        found[what] = 0
        while rows := connection.execute(statement.encode(), {"before": before}).rowcount:
            found[what] += rows
    return found | {"replays that were killed": killed}


def landing_streams(connection: Connection) -> list[str]:
    """Those whose events become drops, from which their windows can be made anew."""
    query = "SELECT DISTINCT stream FROM streams.positions WHERE landed IS NOT NULL"
    return [stream for (stream,) in connection.execute(query)]


def _killed(connection: Connection) -> Iterator[str]:
    """Streams with a replay that did not end and that no process is at; none begins while one is looked at."""
    for stream in abandoned(connection):
        try:
            with only_one(connection, stream):
                yield stream
        except UserError:
            continue
