"""What there is and what is waiting, in numbers: the one source for `status`, the progress display and the report."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_IN_FORCE = "state IN ('loaded', 'quarantined')"
_ROWS = f"""
    coalesce(sum(rows_read) FILTER (WHERE {_IN_FORCE}), 0)::bigint AS read,
    coalesce(sum(rows_loaded) FILTER (WHERE {_IN_FORCE}), 0)::bigint AS loaded,
    coalesce(sum(rows_quarantined) FILTER (WHERE {_IN_FORCE}), 0)::bigint AS quarantined,
    coalesce(sum(rows_duplicate) FILTER (WHERE {_IN_FORCE}), 0)::bigint AS duplicate
"""


def summary(connection: Connection, store: str) -> dict[str, Any]:
    """Drops by state, rows, both again per dataset, backlog, lag, the newest model versions, predictions by level.

    Rows are those of drops in force: what a newer version of the same object replaced is not counted twice. `backlog`
    is the number of drops waiting, `lag_seconds` the age of the oldest of them (0 where none waits).
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        totals = cursor.execute(f"SELECT {_ROWS} FROM ledger.drops WHERE store = %s", [store]).fetchone() or {}
        by_dataset = cursor.execute(
            f"SELECT dataset, {_ROWS} FROM ledger.drops WHERE store = %s GROUP BY dataset ORDER BY dataset", [store]
        ).fetchall()
        states = cursor.execute(
            "SELECT dataset, state, count(*) AS drops FROM ledger.drops WHERE store = %s GROUP BY 1, 2 ORDER BY 1, 2",
            [store],
        ).fetchall()
        waiting = cursor.execute(
            """
            SELECT count(*) AS backlog, coalesce(extract(epoch FROM now() - min(discovered_at)), 0)::float AS lag
            FROM ledger.drops WHERE store = %s AND state IN ('discovered', 'claimed')
            """,
            [store],
        ).fetchone() or {"backlog": 0, "lag": 0.0}
        models = cursor.execute(
            """
            SELECT DISTINCT ON (name) name, version, scores FROM registry.model_versions
            ORDER BY name, created_at DESC
            """
        ).fetchall()
        predictions = cursor.execute(
            """
            SELECT level, sum(count::bigint)::bigint AS rows
            FROM registry.predictions, jsonb_each_text(rows) AS by_level (level, count) GROUP BY level ORDER BY level
            """
        ).fetchall()
    drops: dict[str, int] = {}
    for row in states:
        drops[row["state"]] = drops.get(row["state"], 0) + row["drops"]
    return {
        "drops": drops,
        "rows": totals,
        "datasets": {
            row["dataset"]: {
                "drops": {state["state"]: state["drops"] for state in states if state["dataset"] == row["dataset"]},
                "rows": {name: row[name] for name in ("read", "loaded", "quarantined", "duplicate")},
            }
            for row in by_dataset
        },
        "backlog": waiting["backlog"],
        "lag_seconds": round(waiting["lag"], 1),
        "models": models,
        "predictions": {row["level"]: row["rows"] for row in predictions},
    }
