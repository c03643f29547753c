"""Drops as the API shows them: by page, and one with its events."""

from dataclasses import asdict, dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from lastmile.serving.schemas import Drop

_COLUMNS = ", ".join(Drop.model_fields)


@dataclass(frozen=True)
class Wanted:
    """Which drops to show; None means all."""

    dataset: str | None = None
    partition: str | None = None
    state: str | None = None


def page(connection: Connection, store: str, wanted: Wanted, limit: int, after: int | None) -> dict[str, Any]:
    """The newest drops, or those before the drop `after`; a page costs the same however far back it is."""
    where = [f"{name} = %({name})s" for name, value in asdict(wanted).items() if value is not None]
    if after is not None:
        where.append("id < %(after)s")
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(
            f"SELECT {_COLUMNS} FROM ledger.drops WHERE {' AND '.join(['store = %(store)s', *where])}"
            " ORDER BY id DESC LIMIT %(limit)s + 1",
            {**asdict(wanted), "store": store, "limit": limit, "after": after},
        ).fetchall()
    return {"drops": found[:limit], "after": found[limit - 1]["id"] if len(found) > limit else None}


def one(connection: Connection, store: str, drop_id: int) -> dict[str, Any] | None:
    """The drop with its events, oldest first; None where the store has no such drop."""
    with connection.cursor(row_factory=dict_row) as cursor:
        drop = cursor.execute(
            f"SELECT {_COLUMNS} FROM ledger.drops WHERE store = %s AND id = %s", [store, drop_id]
        ).fetchone()
        events = cursor.execute(
            "SELECT at, state, run_id, message FROM ledger.events WHERE drop_id = %s ORDER BY id", [drop_id]
        ).fetchall()
    return drop and {**drop, "events": events}
