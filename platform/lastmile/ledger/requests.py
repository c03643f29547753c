"""Requests about settled drops: a mark in the ledger that the next run of the partition carries out under its claim.

So it does not matter who requests, whether the platform is up, or how often a run is killed: what was requested happens
whole or not at all. Requesting twice is requesting once.
"""

from collections.abc import Sequence

from psycopg import Connection

from lastmile.errors import UserError
from lastmile.ledger.query import results


def reingest(connection: Connection, store: str, drop_ids: Sequence[int]) -> None:
    """Request these drops to be ingested again whole, whatever became of them before; all of them or none.

    Raises UserError for a drop that the store does not have, or that is not settled yet, or that no contract fits.
    """
    with connection.transaction():
        for drop_id in drop_ids:
            found = results(connection, [drop_id])
            if not found or found[0].store != store:
                raise UserError(f"no drop {drop_id} in {store}; the web UI shows those of each partition")
            if not request_reingest(connection, drop_id):
                (drop,) = found
                raise UserError(
                    f"drop {drop_id} ({drop.key}) is {drop.state} and cannot be re-ingested:"
                    f" {drop.message or 'it is waiting to be ingested'}"
                )


def request_reingest(connection: Connection, drop_id: int) -> bool:
    """Request a whole drop; a discarded one is wanted again. False where it is neither loaded nor quarantined."""
    requested = connection.execute(
        """
        WITH requested AS (
            UPDATE ledger.drops SET not_before = now(), retake = '{}', discarded_at = NULL, discarded_why = NULL,
                attempts = CASE WHEN claim IS NULL THEN 0 ELSE attempts END
            WHERE id = %s AND state IN ('loaded', 'quarantined', 'failed', 'missing') AND settled_at IS NOT NULL
            RETURNING id, state
        )
        INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, 're-ingest requested' FROM requested
        """,
        [drop_id],
    )
    return requested.rowcount == 1


def request_rows(connection: Connection, drop_id: int, lines: Sequence[int]) -> bool:
    """Request quarantined lines of a loaded drop. False where it is not loaded."""
    requested = connection.execute(
        """
        WITH requested AS (
            UPDATE ledger.drops SET not_before = now(),
                retake = CASE WHEN retake = '{}' THEN '{}' ELSE (
                    SELECT array_agg(DISTINCT line ORDER BY line) FROM unnest(retake || %s::bigint[]) line) END
            WHERE id = %s AND state = 'loaded' RETURNING id, state
        )
        INSERT INTO ledger.events (drop_id, state, message)
        SELECT id, state, format('release of %%s rows requested', %s::int) FROM requested
        """,
        [list(lines), drop_id, len(lines)],
    )
    return requested.rowcount == 1


def request_column_fill(
    connection: Connection, store: str, drop_ids: Sequence[int], columns: Sequence[str]
) -> list[int]:
    """Request columns to be filled from rescued values in these loaded drops; returns the drops requested."""
    requested = connection.execute(
        """
        WITH requested AS (
            UPDATE ledger.drops SET not_before = now(), refill = (
                SELECT array_agg(DISTINCT name ORDER BY name) FROM unnest(refill || %(columns)s::text[]) name)
            WHERE state = 'loaded' AND store = %(store)s AND id = ANY(%(drops)s) RETURNING id, state
        ), recorded AS (
            INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, %(message)s FROM requested
        )
        SELECT id FROM requested ORDER BY id
        """,
        {
            "columns": list(columns), "store": store, "drops": list(drop_ids),
            "message": f"column fill requested: {', '.join(columns)}",
        },
    ).fetchall()  # fmt: skip
    return [drop_id for (drop_id,) in requested]


def discard_drops(connection: Connection, drop_ids: Sequence[int], why: str) -> int:
    """Discard quarantined, failed or missing drops whole; returns how many newly are. A request for one ends."""
    return connection.execute(
        """
        WITH discarded AS (
            UPDATE ledger.drops SET discarded_at = clock_timestamp(), discarded_why = %s, retake = NULL
            WHERE id = ANY(%s) AND state IN ('quarantined', 'failed', 'missing') AND discarded_at IS NULL
            RETURNING id, state
        )
        INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, 'discarded: ' || %s FROM discarded
        """,
        [why, list(drop_ids), why],
    ).rowcount
