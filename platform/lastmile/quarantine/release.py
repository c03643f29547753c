"""Releasing what is quarantined, once its contract or its source was corrected: rows, or drops as a whole.

A release is a request in the ledger, which the next run of the partition carries out under the drop's claim. Rows are
read again from their file and validated against the contract as it is then; those that still break it stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection

from lastmile import ledger
from lastmile.errors import UserError
from lastmile.quarantine.query import Selection, drops, lines


@dataclass(frozen=True)
class Releasable:
    """Lines by loaded drop, ids of drops quarantined whole, and those left out because no contract fits them."""

    rows: Mapping[int, Sequence[int]] = field(default_factory=dict)
    drops: Sequence[int] = ()
    unfit: Sequence[Mapping[str, Any]] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.drops)


def releasable(connection: Connection, selection: Selection) -> Releasable:
    """What a release of the selection would request. Raises UserError for lines of a drop quarantined whole."""
    whole = drops(connection, selection, None)
    if selection.lines is not None and whole:
        raise UserError(
            f"drop {selection.drop} was quarantined whole ({whole[0]['message']}): release it without --lines; rows of"
            " it that are not wanted can be discarded first, and no longer count against it"
        )
    return Releasable(
        lines(connection, selection, ["loaded"]),
        [found["id"] for found in whole if not found["is_unfit"]],
        [found for found in whole if found["is_unfit"]],
    )


def release(connection: Connection, rows: Mapping[int, Sequence[int]], drops: Sequence[int]) -> list[int]:
    """Request these lines by drop, and these drops as a whole, to be ingested again; returns the drops requested.

    Requesting twice is requesting once. Drops that are by now neither loaded nor quarantined, or that no contract fits,
    are passed over. What was discarded counts as wanted again.
    """
    with connection.transaction():
        requested = [
            drop_id for drop_id, chosen in sorted(rows.items()) if chosen and _release_rows(connection, drop_id, chosen)
        ]
        return requested + [drop_id for drop_id in sorted(drops) if ledger.request_reingest(connection, drop_id)]


def _release_rows(connection: Connection, drop_id: int, chosen: Sequence[int]) -> bool:
    connection.execute(
        "DELETE FROM quarantine.discarded WHERE drop_id = %s AND line = ANY(%s::bigint[])", [drop_id, list(chosen)]
    )
    return ledger.request_rows(connection, drop_id, chosen)
