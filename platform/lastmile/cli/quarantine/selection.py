"""The options that choose a part of what is set aside, and whether there is any such part."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from lastmile.errors import UserError

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.quarantine.query import Place

Partition = Annotated[str | None, typer.Option("--partition", help="Only this partition.")]
Drop = Annotated[int | None, typer.Option("--drop", help="Only this drop, by its number.")]
Rule = Annotated[str | None, typer.Option("--rule", help="Only rows that broke this rule, as `list` names it.")]
Column = Annotated[str | None, typer.Option("--column", help="Only rows that broke a rule of this column.")]
Lines = Annotated[
    str | None, typer.Option("--lines", help="Only these lines of the drop, such as 3,7,20-40.", metavar="LINES")
]

_MOST_LINES = 1_000_000


def check(connection: "Connection", place: "Place") -> None:
    """Raises UserError where the ledger knows no such dataset, partition or drop."""
    if place.drop is not None and not _known(connection, "id", place.drop):
        raise UserError(f"no drop {place.drop}; `lastmile quarantine list` names those that are set aside")
    if place.dataset is not None and not _known(connection, "dataset", place.dataset):
        names = connection.execute("SELECT DISTINCT dataset FROM ledger.drops ORDER BY 1").fetchall()
        there = f"there are drops of {', '.join(name for (name,) in names)}" if names else "no drop has come yet"
        raise UserError(f"no drop of dataset {place.dataset!r} has come; {there}")
    if place.partition is not None and not _known(connection, "partition", place.partition):
        raise UserError(f"no drop of partition {place.partition!r} has come")


def parsed(lines: str | None) -> tuple[int, ...] | None:
    """`3,7,20-22` as numbers. Raises UserError."""
    if lines is None:
        return None
    found: set[int] = set()
    for part in lines.split(","):
        match = re.fullmatch(r"\s*(\d{1,12})(?:-(\d{1,12}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last - first >= _MOST_LINES:
            raise UserError(f"--lines {lines!r}: expected numbers and ranges such as 3,7,20-40, found {part!r}")
        found.update(range(first, last + 1))
    return tuple(sorted(found))


def _known(connection: "Connection", column: str, value: object) -> bool:
    query = {
        "id": "SELECT FROM ledger.drops WHERE id = %s LIMIT 1",
        "dataset": "SELECT FROM ledger.drops WHERE dataset = %s LIMIT 1",
        "partition": "SELECT FROM ledger.drops WHERE partition = %s LIMIT 1",
    }
    return connection.execute(query[column], [value]).rowcount == 1
