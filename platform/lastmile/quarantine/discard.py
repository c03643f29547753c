"""What somebody decided not to want: rows and drops set aside that are no longer shown, and never load by themselves.

Their counts stay, since they were read. The decision is kept apart from the rows, so taking the drop again does not
forget it; only a release that says so takes it back.
"""

from collections.abc import Mapping, Sequence

from psycopg import Connection

_LINES_NAMED = 20


def discarded_lines(connection: Connection, drop_id: int) -> dict[int, str]:
    """The lines of a drop that are not wanted, each with the reason given."""
    found = connection.execute("SELECT line, why FROM quarantine.discarded WHERE drop_id = %s", [drop_id])
    return dict(found.fetchall())


def discard(
    connection: Connection, rows: Mapping[int, Sequence[int]], drops: Sequence[int], why: str
) -> tuple[int, int]:
    """Record that these lines by drop, and these drops as a whole, are not wanted; returns how many that newly are."""
    with connection.transaction():
        new_rows = sum(_discard_rows(connection, drop_id, lines, why) for drop_id, lines in sorted(rows.items()))
        new_drops = connection.execute(
            """
            WITH discarded AS (
                UPDATE ledger.drops SET discarded_at = clock_timestamp(), discarded_why = %s, retake = NULL
                WHERE id = ANY(%s) AND state IN ('quarantined', 'failed', 'missing') AND discarded_at IS NULL
                RETURNING id, state
            )
            INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, 'discarded: ' || %s FROM discarded
            """,
            [why, list(drops), why],
        ).rowcount
    return new_rows, new_drops


def _discard_rows(connection: Connection, drop_id: int, lines: Sequence[int], why: str) -> int:
    new = connection.execute(
        """
        INSERT INTO quarantine.discarded (drop_id, line, why)
        SELECT DISTINCT %s, line, %s FROM unnest(%s::bigint[]) line ON CONFLICT DO NOTHING RETURNING line
        """,
        [drop_id, why, list(lines)],
    ).fetchall()
    if new:
        connection.execute(
            "INSERT INTO ledger.events (drop_id, state, message) SELECT id, state, %s FROM ledger.drops WHERE id = %s",
            [f"discarded {counted(sorted(line for (line,) in new))}: {why}", drop_id],
        )
    return len(new)


def counted(lines: Sequence[int]) -> str:
    """How many rows, and the first lines of them."""
    named = ", ".join(map(str, lines[:_LINES_NAMED])) + (", …" if len(lines) > _LINES_NAMED else "")
    return f"{len(lines)} rows (lines {named})" if len(lines) != 1 else f"1 row (line {named})"
