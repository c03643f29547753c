"""Drops, rows and backlog in numbers: the views `ledger.state` and `ledger.backlog`, which say what each means."""

from datetime import date
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

Row = dict[str, Any]


def by_state(connection: Connection, store: str) -> list[Row]:
    """One row per dataset and state of its drops."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT dataset, state, sum(drops)::bigint AS drops, sum(rows_read)::bigint AS read,
                sum(rows_loaded)::bigint AS loaded, sum(rows_quarantined)::bigint AS quarantined,
                sum(rows_duplicate)::bigint AS duplicate, sum(late)::bigint AS late,
                coalesce(max(lateness_seconds), 0) AS lateness_seconds, sum(undecided_rows)::bigint AS undecided_rows,
                sum(undecided_drops)::bigint AS undecided_drops, sum(removed)::bigint AS removed,
                extract(epoch FROM now() - max(newest_at))::double precision AS newest_age_seconds
            FROM ledger.state WHERE store = %s GROUP BY dataset, state ORDER BY dataset, state
            """,
            [store],
        ).fetchall()


def backlog(connection: Connection, store: str) -> list[Row]:
    """One row per dataset with drops waiting: their number, and the age of the oldest in seconds."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT dataset, sum(waiting)::bigint AS backlog, max(oldest_seconds) AS lag_seconds FROM ledger.backlog"
            " WHERE store = %s GROUP BY dataset",
            [store],
        ).fetchall()


def undecided(connection: Connection, store: str, dataset: str | None, partition: str | None) -> dict[str, int]:
    """Quarantined `rows` of loaded drops, and whole `drops`, that are neither released nor discarded."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT coalesce(sum(undecided_rows), 0)::bigint AS rows, coalesce(sum(undecided_drops), 0)::bigint AS drops
            FROM ledger.state WHERE store = %(store)s AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)
                AND (%(partition)s::text IS NULL OR partition = %(partition)s)
            """,
            {"store": store, "dataset": dataset, "partition": partition},
        ).fetchall()[0]


def waiting(connection: Connection, store: str, dataset: str) -> tuple[int, str | None]:
    """How many drops of a dataset wait or are being ingested, and the key of the one that was found first."""
    row = connection.execute(
        """
        SELECT count(*), (array_agg(key ORDER BY id))[1] FROM ledger.drops
        WHERE store = %s AND dataset = %s AND state IN ('discovered', 'claimed')
        """,
        [store, dataset],
    ).fetchone()
    return row or (0, None)


def lateness(connection: Connection, store: str, dataset: str) -> dict[str, tuple[int, float]]:
    """By partition with late drops: their number, and by how many seconds the latest of them was late."""
    found = connection.execute(
        "SELECT partition, count(*), max(lateness_seconds) FROM ledger.lateness WHERE store = %s AND dataset = %s"
        " GROUP BY partition",
        [store, dataset],
    ).fetchall()
    return {partition: (count, seconds) for partition, count, seconds in found}


def by_partition(connection: Connection, store: str, dataset: str) -> list[Row]:
    """The newest partition first: its drops, rows of those in force, and the latest change."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT partition, count(*) AS drops, max(modified_at) AS newest_at,
                count(*) FILTER (WHERE state IN ('discovered', 'claimed')) AS waiting,
                coalesce(sum(rows_read) FILTER (WHERE in_force), 0)::bigint AS read,
                coalesce(sum(rows_loaded) FILTER (WHERE in_force), 0)::bigint AS loaded,
                coalesce(sum(rows_quarantined) FILTER (WHERE in_force), 0)::bigint AS quarantined,
                coalesce(sum(rows_duplicate) FILTER (WHERE in_force), 0)::bigint AS duplicate
            FROM (SELECT *, state IN ('loaded', 'quarantined') AS in_force FROM ledger.drops
                WHERE store = %s AND dataset = %s) known
            GROUP BY partition ORDER BY partition DESC
            """,
            [store, dataset],
        ).fetchall()


def read_over_time(
    connection: Connection, store: str, dataset: str | None, bucket: str, first: date | None, last: date | None
) -> dict[tuple[str, str], int]:
    """Rows read of drops in force, by bucket (of the time they were ingested at, or `partition`) and dataset."""
    found = connection.execute(
        """
        SELECT CASE %(bucket)s WHEN 'partition' THEN partition
            ELSE date_trunc(%(bucket)s, settled_at AT TIME ZONE 'UTC')::date::text END, dataset, sum(rows_read)::bigint
        FROM ledger.drops
        WHERE store = %(store)s AND (%(dataset)s::text IS NULL OR dataset = %(dataset)s)
            AND state IN ('loaded', 'quarantined')
            AND (%(first)s::date IS NULL OR settled_at >= %(first)s::date::timestamp AT TIME ZONE 'UTC')
            AND (%(last)s::date IS NULL OR settled_at < (%(last)s::date + 1)::timestamp AT TIME ZONE 'UTC')
        GROUP BY 1, 2
        """,
        {"store": store, "dataset": dataset, "bucket": bucket, "first": first, "last": last},
    ).fetchall()
    return {(at, name): rows for at, name, rows in found}
