"""The options that select a part of what is quarantined."""

import re
from typing import Annotated

import typer

from lastmile.errors import UserError

Partition = Annotated[str | None, typer.Option("--partition", help="Only this partition.")]
Drop = Annotated[int | None, typer.Option("--drop", help="Only this drop, by its number.")]
Rule = Annotated[str | None, typer.Option("--rule", help="Only rows that broke this rule, as `list` names it.")]
Column = Annotated[str | None, typer.Option("--column", help="Only rows that broke a rule of this column.")]
Lines = Annotated[
    str | None, typer.Option("--lines", help="Only these lines of the drop, such as 3,7,20-40.", metavar="LINES")
]

_MOST_LINES = 1_000_000


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
