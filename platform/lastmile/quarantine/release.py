"""Asking for what was quarantined to be ingested again, after its contract was mended: rows, or drops as a whole.

Asking is a mark in the ledger, which the next run of the partition carries out under the drop's claim. So it does not
matter who asks, whether the platform is up, or how often a run is killed: a release happens whole or not at all.
"""

from collections.abc import Mapping, Sequence

from psycopg import Connection


def ask(connection: Connection, rows: Mapping[int, Sequence[int]], drops: Sequence[int]) -> list[int]:
    """Ask for these lines by drop, and for these drops as a whole, to be taken again; returns the drops asked for.

    Asking twice is asking once. Drops that are by now neither loaded nor set aside, or that no contract can take, are
    passed over. What was discarded counts as wanted again.
    """
    with connection.transaction():
        asked = [
            drop_id for drop_id, lines in sorted(rows.items()) if lines and _ask_for_rows(connection, drop_id, lines)
        ]
        return asked + [drop_id for drop_id in sorted(drops) if _ask_for_drop(connection, drop_id)]


def _ask_for_rows(connection: Connection, drop_id: int, lines: Sequence[int]) -> bool:
    connection.execute(
        "DELETE FROM quarantine.discarded WHERE drop_id = %s AND line = ANY(%s::bigint[])", [drop_id, list(lines)]
    )
    asked = connection.execute(
        """
        WITH asked AS (
            UPDATE ledger.drops SET not_before = now(),
                retake = CASE WHEN retake = '{}' THEN '{}' ELSE (
                    SELECT array_agg(DISTINCT line ORDER BY line) FROM unnest(retake || %s::bigint[]) line) END
            WHERE id = %s AND state = 'loaded' RETURNING id, state
        )
        INSERT INTO ledger.events (drop_id, state, message)
        SELECT id, state, format('asked to release %%s rows', %s::int) FROM asked
        """,
        [list(lines), drop_id, len(lines)],
    )
    return asked.rowcount == 1


def _ask_for_drop(connection: Connection, drop_id: int) -> bool:
    asked = connection.execute(
        """
        WITH asked AS (
            UPDATE ledger.drops SET not_before = now(), retake = '{}', discarded_at = NULL, discarded_why = NULL,
                attempts = CASE WHEN claim IS NULL THEN 0 ELSE attempts END
            WHERE id = %s AND state IN ('loaded', 'quarantined', 'failed', 'missing') AND settled_at IS NOT NULL
            RETURNING id, state
        )
        INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, 'asked to take it again' FROM asked
        """,
        [drop_id],
    )
    return asked.rowcount == 1
