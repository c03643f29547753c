"""What was set aside: drops taken as a whole, and rows with their reasons, of the drops in force."""

from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

_HERE = """
    (%(dataset)s::text IS NULL OR d.dataset = %(dataset)s)
    AND (%(partition)s::text IS NULL OR d.partition = %(partition)s)
    AND (%(drop)s::bigint IS NULL OR d.id = %(drop)s)
"""
_ROWS = (
    f"quarantine.rows r JOIN ledger.drops d ON d.id = r.drop_id WHERE {_HERE} AND d.state IN ('loaded', 'quarantined')"
)


@dataclass(frozen=True)
class Place:
    """Which part to look at; None means all."""

    dataset: str | None = None
    partition: str | None = None
    drop: int | None = None


def drops(connection: Connection, place: Place, limit: int) -> list[dict[str, Any]]:
    """Drops of which nothing was loaded, with the reason, newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT d.id, d.dataset, d.partition, d.key, d.state, d.message FROM ledger.drops d
            WHERE {_HERE} AND d.state IN ('quarantined', 'failed', 'missing') ORDER BY d.id DESC LIMIT %(limit)s
            """,
            {**asdict(place), "limit": limit},
        ).fetchall()


def rows(connection: Connection, place: Place, limit: int) -> list[dict[str, Any]]:
    """Rows set aside, by drop and line."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT r.drop_id, d.dataset, d.partition, d.key, r.line, r.kind, r.reasons, r.raw FROM {_ROWS}
            ORDER BY r.drop_id, r.line LIMIT %(limit)s
            """,
            {**asdict(place), "limit": limit},
        ).fetchall()


def count(connection: Connection, place: Place) -> int:
    """How many rows are set aside."""
    row = connection.execute(f"SELECT count(*) FROM {_ROWS}", asdict(place)).fetchone()
    return int(row[0]) if row else 0
