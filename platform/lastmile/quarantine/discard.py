"""Discarding quarantined rows and drops: they are no longer listed, and not loaded when their drop is re-ingested.

Their counts stay, since they were read. The decision is kept apart from the rows, so re-ingesting does not forget it;
only a release that says so takes it back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg import Connection

from lastmile import ledger
from lastmile.errors import UserError
from lastmile.quarantine.query import Selection, drops, lines

_LINES_NAMED = 20


@dataclass(frozen=True)
class Discardable:
    """Lines by drop, and ids of drops quarantined whole."""

    rows: Mapping[int, Sequence[int]] = field(default_factory=dict)
    drops: Sequence[int] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.drops)


def discardable(connection: Connection, selection: Selection) -> Discardable:
    """What discarding the selection would be about: rows where it names rows, else rows and whole drops."""
    if selection.names_rows:
        return Discardable(lines(connection, selection, ["loaded", "quarantined"]))
    whole = [found["id"] for found in drops(connection, selection, None)]
    return Discardable(lines(connection, selection, ["loaded"]), whole)


def discard(
    connection: Connection, rows: Mapping[int, Sequence[int]], drops: Sequence[int], why: str
) -> tuple[int, int]:
    """Discard these lines by drop, and these drops as a whole; returns how many of each newly are.

    Raises UserError where no reason is given.
    """
    why = why.strip()
    if not why:
        raise UserError("the reason is empty: say with --why why this is not wanted, for those who ask later")
    with connection.transaction():
        new_rows = sum(_discard_rows(connection, drop_id, chosen, why) for drop_id, chosen in sorted(rows.items()))
        return new_rows, ledger.discard_drops(connection, drops, why)


def discarded_lines(connection: Connection, drop_id: int) -> dict[int, str]:
    """The discarded lines of a drop, each with the reason given."""
    found = connection.execute("SELECT line, why FROM quarantine.discarded WHERE drop_id = %s", [drop_id])
    return dict(found.fetchall())


def _discard_rows(connection: Connection, drop_id: int, chosen: Sequence[int], why: str) -> int:
    new = connection.execute(
        """
        INSERT INTO quarantine.discarded (drop_id, line, why)
        SELECT DISTINCT %s, line, %s FROM unnest(%s::bigint[]) line ON CONFLICT DO NOTHING RETURNING line
        """,
        [drop_id, why, list(chosen)],
    ).fetchall()
    if new:
        ledger.add_event(connection, drop_id, f"discarded {counted(sorted(line for (line,) in new))}: {why}")
    return len(new)


def counted(lines: Sequence[int]) -> str:
    """How many rows, and the first lines of them."""
    named = ", ".join(map(str, lines[:_LINES_NAMED])) + (", …" if len(lines) > _LINES_NAMED else "")
    return f"{len(lines)} rows (lines {named})" if len(lines) != 1 else f"1 row (line {named})"
