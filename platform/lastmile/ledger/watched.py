"""What alerts go by: all datasets at once, in a few statements over the index of drops."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

Row = dict[str, Any]

_AGES = """
    SELECT dataset, extract(epoch FROM now() - max(appeared_at))::float8 AS seconds FROM ledger.drops
    WHERE store = %s AND NOT (state = 'failed' AND settled_at IS NULL) GROUP BY dataset
"""
_LATE = """
    SELECT dataset, partition, count(*) AS drops, max(lateness_seconds)::float8 AS seconds FROM ledger.lateness
    WHERE store = %s AND appeared_at > now() - interval '1 day' GROUP BY 1, 2
"""
_BAD = """
    SELECT dataset, partition, read, bad, whole FROM (
        SELECT dataset, partition,
            coalesce(sum(rows_read) FILTER (WHERE state IN ('loaded', 'quarantined')), 0)::bigint AS read,
            coalesce(sum(undecided_rows) FILTER (WHERE state = 'loaded'), 0)::bigint AS bad,
            coalesce(sum(undecided_drops) FILTER (WHERE state = 'quarantined'), 0)::bigint AS whole
        FROM ledger.state WHERE store = %s GROUP BY 1, 2) found
    WHERE bad > 0 OR whole > 0
"""
_WHOLE = """
    SELECT dataset, partition, sum(rows_quarantined)::bigint AS rows FROM ledger.drops
    WHERE store = %s AND state = 'quarantined' AND discarded_at IS NULL GROUP BY 1, 2
"""
_FAILED = """
    SELECT dataset, partition, count(*) AS drops, (array_agg(key ORDER BY id))[1] AS key,
        (array_agg(message ORDER BY id))[1] AS message
    FROM ledger.drops
    WHERE store = %s AND (state = 'missing' OR (state = 'failed' AND settled_at IS NOT NULL)) AND discarded_at IS NULL
    GROUP BY 1, 2
"""
_ROWS = """
    SELECT dataset, partition, sum(rows_loaded)::bigint AS rows, max(partition_end) <= current_date AS ended
    FROM ledger.drops WHERE store = %s AND state = 'loaded' GROUP BY 1, 2 ORDER BY 1, 2
"""
_HEADERS = """
    SELECT DISTINCT ON (dataset) dataset, key, schema_change AS change FROM ledger.drops
    WHERE store = %s AND state IN ('loaded', 'quarantined') AND discarded_at IS NULL ORDER BY dataset, id DESC
"""


def newest_ages(connection: Connection, store: str) -> list[Row]:
    """By dataset: how many seconds ago its newest drop appeared."""
    return _rows(connection, _AGES, store)


def late_in_a_day(connection: Connection, store: str) -> list[Row]:
    """By partition: drops of the last day that came after its end, and by how many seconds the latest of them did."""
    return _rows(connection, _LATE, store)


def bad_shares(connection: Connection, store: str) -> list[Row]:
    """By partition with quarantined and undecided rows: their `share`, the number of drops quarantined `whole`."""
    whole = {(row["dataset"], row["partition"]): row["rows"] for row in _rows(connection, _WHOLE, store)}
    found = _rows(connection, _BAD, store)
    for row in found:
        bad = row["bad"] + whole.get((row["dataset"], row["partition"]), 0)
        row["share"] = min(1.0, bad / row["read"]) if row["read"] else 1.0
    return found


def failures(connection: Connection, store: str) -> list[Row]:
    """By partition: drops that failed or are missing, the first of them and what it says."""
    return _rows(connection, _FAILED, store)


def loaded_rows(connection: Connection, store: str) -> list[Row]:
    """By partition, in their order: rows loaded, and whether it is over."""
    return _rows(connection, _ROWS, store)


def newest_headers(connection: Connection, store: str) -> list[Row]:
    """By dataset: how the header of the newest drop in force differs from the contract."""
    return _rows(connection, _HEADERS, store)


def _rows(connection: Connection, statement: str, store: str) -> list[Row]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), [store]).fetchall()
