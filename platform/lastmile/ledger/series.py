"""Drops and their rows over time, for charts: by dataset, in buckets of the time at which drops appeared."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import dict_row

Bucket = Literal["day", "week", "month"]

_IN_FORCE = "FILTER (WHERE state IN ('loaded', 'quarantined'))"
#: Rows are those of drops in force: what a newer version replaced is not counted twice.
METRICS: Mapping[str, tuple[str, str]] = {
    "drops": ("Drops that appeared (drops).", "count(*)"),
    "rows_read": ("Rows read (rows).", f"sum(rows_read) {_IN_FORCE}"),
    "rows_loaded": ("Rows loaded (rows).", f"sum(rows_loaded) {_IN_FORCE}"),
    "rows_quarantined": ("Rows quarantined (rows).", f"sum(rows_quarantined) {_IN_FORCE}"),
    "bad_share": (
        "Of the rows read, those quarantined (share).",
        f"sum(rows_quarantined) {_IN_FORCE} / nullif(sum(rows_read) {_IN_FORCE}, 0)",
    ),
    "lateness_seconds": ("How long after its partition's end the latest drop came (s).", "max(lateness_seconds)"),
}


def series(
    connection: Connection,
    store: str,
    metric: str,
    bucket: Bucket,
    start: datetime | None,
    end: datetime | None,
    by_dataset: bool,
) -> list[dict[str, Any]]:
    """Rows of `time`, `value` and, by dataset, `group`; in order of time."""
    group = "dataset" if by_dataset else "NULL::text"
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT date_trunc(%(bucket)s, appeared_at AT TIME ZONE 'UTC')::date AS time, {group} AS group,
                ({METRICS[metric][1]})::double precision AS value
            FROM ledger.drops WHERE store = %(store)s AND (%(start)s::timestamptz IS NULL OR appeared_at >= %(start)s)
                AND (%(end)s::timestamptz IS NULL OR appeared_at < %(end)s)
            GROUP BY 1, 2 ORDER BY 1, 2
            """,
            {"bucket": bucket, "store": store, "start": start, "end": end},
        ).fetchall()
