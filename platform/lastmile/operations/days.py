"""What happened on each day, in tables that stay small: for those who plan, for dbt, and for the time after retention.

A day is aggregated when it is over, and again when drops that were found on it have changed since: that happens weeks
later, when rows are released or a file is re-ingested. Aggregating a day again replaces it, in one transaction. Only
predictions of a partition that was predicted again on a later day are nowhere else any more; those stay as they are.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lastmile.learning.registry import days as registry
from lastmile.ledger import days as ledger


def due(connection: Connection, store: str, today: date | None = None) -> list[date]:
    """Days that are over and were never aggregated, or have changed since; from the first day with a drop on."""
    changed = ledger.changes(connection, store)
    if not changed:
        return []
    first, over = min(changed), today or datetime.now(UTC).date()
    done: dict[date, datetime] = dict(connection.execute("SELECT day, aggregated_at FROM figures.days").fetchall())
    days = (first + timedelta(days=number) for number in range((over - first).days))
    return [day for day in days if day not in done or (day in changed and changed[day] > done[day])]


def aggregate(connection: Connection, store: str, day: date, run_id: str | None = None) -> Mapping[str, int]:
    """Write the day's rows anew; drops, rows and predictions of it."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 23))", [f"day {day}"])
        connection.execute(
            "INSERT INTO figures.days (day, run_id) VALUES (%s, %s)"
            " ON CONFLICT (day) DO UPDATE SET aggregated_at = clock_timestamp(), run_id = excluded.run_id",
            [day, run_id],
        )
        connection.execute("DELETE FROM figures.drops WHERE day = %s", [day])
        connection.execute("DELETE FROM figures.answers WHERE day = %s", [day])
        predicted = registry.predicted(connection, day)
        models = [(day, one["model"], one["partition_start"]) for one in predicted]
        with connection.cursor() as cursor:
            again = "DELETE FROM figures.predictions WHERE (day, model, partition_start) = (%s, %s, %s)"
            cursor.executemany(again, sorted(set(models)))
        drops, answers = ledger.of_day(connection, store, day), registry.answered(connection, day)
        for table, rows in (("drops", drops), ("predictions", predicted), ("answers", answers)):
            _insert(connection, table, day, rows)
    return {
        "drops": _sum(drops, "drops"),
        **{part: _sum(drops, part) for part in ("rows_read", "rows_loaded", "rows_quarantined", "rows_duplicate")},
        "predictions": _sum(predicted, "predictions"),
        "answers": _sum(answers, "answers"),
    }


def _sum(rows: Iterable[Mapping[str, Any]], name: str) -> int:
    return sum(int(row[name] or 0) for row in rows)


def _insert(connection: Connection, table: str, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        return
    columns = ["day", *rows[0]]
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier("figures", table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join([sql.Placeholder()] * len(columns)),
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(day, *row.values()) for row in rows])


def drops_between(connection: Connection, datasets: Sequence[str], first: date, after: date) -> list[dict[str, Any]]:
    """Figures of each dataset over the days."""
    return _read(
        connection,
        "SELECT dataset, sum(drops)::bigint AS drops, sum(rows_read)::bigint AS rows_read,"
        " sum(rows_loaded)::bigint AS rows_loaded, sum(rows_quarantined)::bigint AS rows_quarantined,"
        " sum(rows_duplicate)::bigint AS rows_duplicate, max(lag_seconds) AS slowest_seconds"
        " FROM figures.drops WHERE dataset = ANY (%s) AND day >= %s AND day < %s GROUP BY 1 ORDER BY 1",
        [list(datasets), first, after],
    )


def drops_by_day(connection: Connection, datasets: Sequence[str], first: date, after: date) -> list[dict[str, Any]]:
    """Figures of each day over the datasets; days without drops have zeros."""
    return _read(
        connection,
        "SELECT day, coalesce(sum(drops), 0)::bigint AS drops, coalesce(sum(rows_read), 0)::bigint AS rows_read,"
        " coalesce(sum(rows_loaded), 0)::bigint AS rows_loaded,"
        " coalesce(sum(rows_quarantined), 0)::bigint AS rows_quarantined"
        " FROM figures.days LEFT JOIN figures.drops d USING (day)"
        " WHERE (dataset = ANY (%s) OR dataset IS NULL) AND day >= %s AND day < %s GROUP BY 1 ORDER BY 1",
        [list(datasets), first, after],
    )


def predictions_between(
    connection: Connection, models: Sequence[str], first: date, after: date
) -> list[dict[str, Any]]:
    """Predictions by model, version and level over the days; of a partition predicted several times the last."""
    return _read(
        connection,
        "SELECT model, version, level, sum(predictions)::bigint AS predictions FROM ("
        "  SELECT *, rank() OVER (PARTITION BY model, partition_start ORDER BY day DESC) AS place"
        "  FROM figures.predictions WHERE model = ANY (%s) AND day >= %s AND day < %s) AS newest"
        " WHERE place = 1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        [list(models), first, after],
    )


def _read(connection: Connection, query: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), values).fetchall()
