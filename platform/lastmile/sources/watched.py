"""What alerts go by: how the last runs of all sources went, and how far those of changes are behind."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

Row = dict[str, Any]

#: A source of changes that is followed brings records whenever there are any.
_AGES = """
    SELECT source, extract(epoch FROM clock_timestamp() - greatest(
        coalesce(max(ended_at) FILTER (WHERE state = 'landed'), min(started_at)),
        (SELECT seen_at FROM sources.changes c WHERE c.source = r.source)))::float8 AS seconds
    FROM sources.runs r GROUP BY source
"""
_FAILING = """
    SELECT source, count(*) AS failures, (array_agg(message ORDER BY id DESC))[1] AS message
    FROM sources.runs r WHERE state = 'failed' AND id > coalesce((
        SELECT max(id) FROM sources.runs ok WHERE ok.source = r.source AND state IN ('landed', 'nothing new')), 0)
    GROUP BY source
"""
_SLOTS = """
    SELECT source, slot, greatest(source_lsn - lsn, 0)::float8 AS bytes, problem,
        extract(epoch FROM clock_timestamp() - greatest(seen_at, looked_at))::float8 AS seen_seconds
    FROM sources.changes WHERE source_lsn IS NOT NULL AND lsn IS NOT NULL
"""


def ages(connection: Connection) -> list[Row]:
    """By source that ever ran: how many seconds ago a fetch last brought records, or its first run began."""
    return _rows(connection, _AGES)


def failing(connection: Connection) -> list[Row]:
    """By source: how many runs have failed since the last that did not, and why the newest did."""
    return _rows(connection, _FAILING)


def slots(connection: Connection) -> list[Row]:
    """By source of changes: bytes of the log that its database keeps for us, as of so many seconds ago."""
    return _rows(connection, _SLOTS)


def _rows(connection: Connection, statement: str) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode()).fetchall()
