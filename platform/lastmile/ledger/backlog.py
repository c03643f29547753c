"""What waits to be ingested, and when; and every drop there is, as the ledger has it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lastmile.ledger.claims import HOLDER_IS_GONE, LONGEST_WAIT, PENDING, REQUESTED, TO_FILL


def pending(connection: Connection, store: str) -> list[tuple[str, str, int, int]]:
    """Dataset, partition, number of drops waiting and the newest one's id, of drops no living worker holds.

    Drops with a request wait too. Those due later than a run would wait for (LONGEST_WAIT) don't yet.
    """
    return connection.execute(
        f"""
        SELECT dataset, partition, count(*), max(id) FROM ledger.drops
        WHERE store = %s AND ({PENDING} OR {REQUESTED} OR {TO_FILL}) AND not_before <= clock_timestamp() + %s
          AND (claim IS NULL OR {HOLDER_IS_GONE})
        GROUP BY dataset, partition ORDER BY dataset, partition
        """,
        [store, LONGEST_WAIT],
    ).fetchall()


def at_a_glance(connection: Connection) -> tuple[int, int]:
    """A number that grows with all that is recorded, and how many drops of any store are due, of 1,000 at most.

    Cheap enough for every second: each half of it reads an index.
    """
    ((newest, due),) = connection.execute(
        f"""
        SELECT (SELECT coalesce(max(id), 0) FROM ledger.events), (SELECT count(*) FROM (
            SELECT FROM ledger.drops WHERE ({PENDING} OR {REQUESTED} OR {TO_FILL})
                AND not_before <= clock_timestamp() + %s LIMIT 1000) AS due)
        """,
        [LONGEST_WAIT],
    ).fetchall()
    return newest, due


def waiting_in(
    connection: Connection, store: str, datasets: Sequence[str], first: str, last: str, keys: int, traces: int
) -> list[tuple[str, str, str, int, list[str], list[str]]]:
    """By dataset: first and last partition with drops waiting, from `first` to `last`, their number, keys of the first,
    places of the first in their traces.

    What waits is what `pending` says.
    """
    return connection.execute(
        f"""
        SELECT dataset, min(partition), max(partition), count(*), (array_agg(key ORDER BY id))[:%(keys)s],
            coalesce((array_agg(traceparent ORDER BY id) FILTER (WHERE traceparent IS NOT NULL))[:%(traces)s], '{{}}')
        FROM ledger.drops
        WHERE store = %(store)s AND dataset = ANY(%(datasets)s) AND partition BETWEEN %(first)s AND %(last)s
          AND ({PENDING} OR {REQUESTED} OR {TO_FILL}) AND not_before <= clock_timestamp() + %(wait)s
          AND (claim IS NULL OR {HOLDER_IS_GONE})
        GROUP BY dataset ORDER BY dataset
        """,
        {
            "store": store,
            "datasets": list(datasets),
            "first": first,
            "last": last,
            "keys": keys,
            "traces": traces,
            "wait": LONGEST_WAIT,
        },
    ).fetchall()


def arrivals(connection: Connection, store: str, places: Sequence[tuple[str, str]]) -> tuple[datetime, datetime] | None:
    """When the first and the last of the drops that wait there were found; `places` are datasets with partitions."""
    datasets, partitions = zip(*places, strict=True)
    found = connection.execute(
        f"""
        SELECT min(discovered_at), max(discovered_at) FROM ledger.drops
        WHERE store = %s AND (dataset, partition) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
          AND ({PENDING} OR {REQUESTED} OR {TO_FILL}) AND (claim IS NULL OR {HOLDER_IS_GONE})
        """,
        [store, list(datasets), list(partitions)],
    ).fetchone()
    return (found[0], found[1]) if found and found[0] else None


def now(connection: Connection) -> datetime:
    """The database's clock, the only one that the ledger's times are compared with."""
    moment: datetime
    ((moment,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    return moment


def inventory(connection: Connection, store: str, dataset: str, partitions: Sequence[str]) -> list[dict[str, Any]]:
    """Every drop of these partitions, oldest first, as dictionaries of the ledger's columns."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT * FROM ledger.drops WHERE store = %s AND dataset = %s AND partition = ANY(%s) ORDER BY id",
            [store, dataset, list(partitions)],
        ).fetchall()
