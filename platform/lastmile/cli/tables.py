"""Tables of commands: whole, however narrow the terminal is. What is cut can be neither read nor copied."""

from rich.console import Console
from rich.table import Table

_WIDEST = 1_000


def print_table(table: Table) -> None:
    """At its own width: a narrow terminal wraps its lines, and a pipe gets them as they are."""
    Console(width=_WIDEST).print(table)
