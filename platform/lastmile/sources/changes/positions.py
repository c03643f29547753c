"""How far each source of changes is followed, and how much there is behind that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection
from psycopg.rows import class_row

from lastmile.errors import UserError
from lastmile.sources.changes import lsn

_BYTES = "(source_lsn - lsn)"


@dataclass(frozen=True)
class Position:
    """Up to `lsn` all is loaded; None while the snapshot of the slot is not."""

    slot: str
    publication: str
    system: str
    snapshot: int
    lsn: int | None
    #: Of the table, as its changes were described last.
    columns: Sequence[str]


@dataclass(frozen=True)
class Lag:
    """What a source is behind its database, as of `seen_at`; None where it was never seen."""

    source: str
    lsn: str | None
    bytes: int | None
    seconds: float | None
    seen_at: datetime | None
    committed_at: datetime | None
    transactions: int
    changes: int
    quarantined: int
    snapshot: int
    problem: str | None


def of(connection: Connection, source: str) -> Position | None:
    row = connection.execute(
        "SELECT slot, publication, system, snapshot, lsn::text, columns FROM sources.changes WHERE source = %s",
        [source],
    ).fetchone()
    if row is None:
        return None
    slot, publication, system, snapshot, position, columns = row
    return Position(slot, publication, system, snapshot, lsn.number(position) if position else None, columns)


def intend(connection: Connection, source: str, slot: str, publication: str, system: str) -> None:
    """That this slot is about to be made, and a snapshot loaded."""
    connection.execute(
        """
        INSERT INTO sources.changes (source, slot, publication, system) VALUES (%s, %s, %s, %s)
        ON CONFLICT (source) DO UPDATE
        SET slot = excluded.slot, publication = excluded.publication, system = excluded.system, lsn = NULL
        """,
        [source, slot, publication, system],
    )


def loaded(connection: Connection, source: str, position: int, columns: Sequence[str], quarantined: int) -> None:
    """That a snapshot as of a position is, in the same transaction."""
    connection.execute(
        """
        UPDATE sources.changes
        SET snapshot = snapshot + 1, lsn = %s, applied_at = clock_timestamp(), quarantined = quarantined + %s,
            problem = NULL, problem_since = NULL, columns = %s
        WHERE source = %s
        """,
        [lsn.text(position), quarantined, list(columns), source],
    )


def advance(
    connection: Connection,
    source: str,
    before: int,
    after: int,
    *,
    at: datetime | None = None,
    transactions: int = 0,
    changes: int = 0,
    quarantined: int = 0,
) -> None:
    """That all from one position to another is loaded, in the same transaction. Raises UserError where it was not
    there."""
    moved = connection.execute(
        """
        UPDATE sources.changes
        SET lsn = %(after)s, committed_at = coalesce(%(at)s, committed_at),
            transactions = transactions + %(transactions)s,
            applied_at = CASE WHEN %(transactions)s > 0 THEN clock_timestamp() ELSE applied_at END,
            changes = changes + %(changes)s, quarantined = quarantined + %(quarantined)s
        WHERE source = %(source)s AND lsn = %(before)s
        """,
        {
            "source": source,
            "before": lsn.text(before),
            "after": lsn.text(after),
            "at": at,
            "transactions": transactions,
            "changes": changes,
            "quarantined": quarantined,
        },
    ).rowcount
    if not moved:
        raise UserError(f"source {source}: its position is no longer {lsn.text(before)}: a new snapshot is wanted")


def described(connection: Connection, source: str, columns: Sequence[str]) -> None:
    """Which columns the table has from here on, in the same transaction."""
    connection.execute("UPDATE sources.changes SET columns = %s WHERE source = %s", [list(columns), source])


def seen(connection: Connection, source: str, end: int) -> None:
    """Where the database's log ends now, and since when there was more than is loaded."""
    connection.execute(
        """
        UPDATE sources.changes
        SET source_lsn = %(end)s, seen_at = clock_timestamp(), problem = NULL, problem_since = NULL,
            behind_since = CASE WHEN lsn < %(end)s THEN coalesce(behind_since, clock_timestamp()) END
        WHERE source = %(source)s
        """,
        {"source": source, "end": lsn.text(end)},
    )


def unseen(connection: Connection) -> dict[str, str]:
    """The slots of sources that are loaded and were not seen for most of a minute."""
    found = connection.execute(
        "SELECT source, slot FROM sources.changes WHERE lsn IS NOT NULL"
        " AND coalesce(greatest(seen_at, looked_at) < clock_timestamp() - interval '45 seconds', true)"
    )
    return dict(found.fetchall())


def looked(connection: Connection, source: str, end: int) -> None:
    """Where the database's log ends now; that it was read is not said by this."""
    connection.execute(
        """
        UPDATE sources.changes
        SET source_lsn = %(end)s, looked_at = clock_timestamp(),
            behind_since = CASE WHEN lsn < %(end)s THEN coalesce(behind_since, clock_timestamp()) END
        WHERE source = %(source)s AND lsn IS NOT NULL
        """,
        {"source": source, "end": lsn.text(end)},
    )


def failed(connection: Connection, source: str, why: str) -> None:
    """Why it is not followed."""
    connection.execute(
        """
        UPDATE sources.changes
        SET problem = %(why)s, problem_since = CASE WHEN problem IS NULL THEN clock_timestamp() ELSE problem_since END
        WHERE source = %(source)s
        """,
        {"source": source, "why": why},
    )


def want_snapshot(connection: Connection, source: str) -> None:
    """What follows it now finds that its position is gone, and begins anew."""
    connection.execute("UPDATE sources.changes SET lsn = NULL WHERE source = %s", [source])


def forget(connection: Connection, source: str) -> None:
    connection.execute("DELETE FROM sources.changes WHERE source = %s", [source])


def lags(connection: Connection) -> Mapping[str, Lag]:
    """By source. Seconds count from the commit of the newest transaction that is loaded, or from when there was first
    more than is loaded, whichever is later."""
    query = f"""
        SELECT source, lsn::text AS lsn, greatest({_BYTES}, 0)::bigint AS bytes,
            CASE WHEN source_lsn IS NULL OR lsn IS NULL THEN NULL
                WHEN lsn >= source_lsn OR behind_since IS NULL THEN 0
                ELSE extract(epoch FROM clock_timestamp() - greatest(committed_at, behind_since)) END::float AS seconds,
            greatest(seen_at, looked_at) AS seen_at, committed_at, transactions, changes, quarantined, snapshot, problem
        FROM sources.changes ORDER BY source
    """
    with connection.cursor(row_factory=class_row(Lag)) as cursor:
        return {one.source: one for one in cursor.execute(query.encode()).fetchall()}
