"""Whether a selection names something there is: a typing mistake must not look like an empty quarantine."""

from psycopg import Connection

from lastmile.errors import UserError
from lastmile.ledger import query as ledger
from lastmile.quarantine.query import Selection


def check(connection: Connection, selection: Selection) -> None:
    """Raises UserError where the ledger knows no such dataset, partition or drop."""
    if selection.drop is not None and not ledger.has(connection, "id", selection.drop):
        raise UserError(f"no drop {selection.drop}; `lastmile quarantine list` names those that are quarantined")
    if selection.dataset is not None and not ledger.has(connection, "dataset", selection.dataset):
        names = ledger.datasets(connection)
        there = f"there are drops of {', '.join(names)}" if names else "no drop has arrived yet"
        raise UserError(f"no drop of dataset {selection.dataset!r} has arrived; {there}")
    if selection.partition is not None and not ledger.has(connection, "partition", selection.partition):
        raise UserError(f"no drop of partition {selection.partition!r} has arrived")


def check_for_decision(connection: Connection, selection: Selection) -> None:
    """As `check`, before a decision. Raises UserError also where nothing is selected, or lines without their drop."""
    if selection.lines is not None and selection.drop is None:
        raise UserError("--lines are those of one drop: say which with --drop")
    chosen = (selection.dataset, selection.partition, selection.drop, selection.rule, selection.column)
    if chosen == (None,) * 5:
        raise UserError(
            "say what: --drop, --dataset, --partition, --rule or --column; `lastmile quarantine list` helps"
        )
    check(connection, selection)
