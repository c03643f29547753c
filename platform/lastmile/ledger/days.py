"""Drops by the day (UTC) on which they were found, and what became of them."""

from datetime import date, datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_DAY = "(discovered_at AT TIME ZONE 'UTC')::date"
_OF_DAY = f"""
    SELECT dataset, partition, count(*) AS drops,
        count(*) FILTER (WHERE state = 'loaded') AS loaded,
        count(*) FILTER (WHERE state = 'quarantined') AS quarantined,
        count(*) FILTER (WHERE state IN ('failed', 'missing')) AS failed,
        count(*) FILTER (WHERE state IN ('discovered', 'claimed')) AS waiting,
        sum(size)::bigint AS bytes, sum(rows_read)::bigint AS rows_read, sum(rows_loaded)::bigint AS rows_loaded,
        sum(rows_quarantined)::bigint AS rows_quarantined, sum(rows_duplicate)::bigint AS rows_duplicate,
        max(extract(epoch FROM settled_at - discovered_at))::double precision AS lag_seconds,
        max(lateness_seconds) AS lateness_seconds
    FROM ledger.drops WHERE store = %s AND {_DAY} = %s GROUP BY dataset, partition
"""
_CHANGES = f"""
    SELECT {_DAY} AS day, max(greatest(discovered_at, settled_at, removed_at, discarded_at, events.at))
    FROM ledger.drops LEFT JOIN (SELECT drop_id, max(at) AS at FROM ledger.events GROUP BY 1) AS events ON drop_id = id
    WHERE store = %s GROUP BY 1
"""


def of_day(connection: Connection, store: str, day: date) -> list[dict[str, Any]]:
    """A row for each dataset and partition that drops were found for."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_OF_DAY.encode(), [store, day]).fetchall()


def changes(connection: Connection, store: str) -> dict[date, datetime]:
    """For each day on which drops were found, when any of them last changed: released, re-ingested, discarded ..."""
    return dict(connection.execute(_CHANGES.encode(), [store]).fetchall())
