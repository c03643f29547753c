"""Who changes something and why: what commands that write to a history ask."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from lastmile.errors import UserError

if TYPE_CHECKING:
    from lastmile.learning.registry.events import Cause

Why = Annotated[str, typer.Option(help="The reason, kept with the event.")]
Who = Annotated[str | None, typer.Option(help="Who does it (default: the user of this machine)")]


def cause(why: str, who: str | None) -> "Cause":
    """Raises UserError where the reason is empty."""
    from lastmile.learning.registry.events import Cause

    if not why.strip():
        raise UserError("--why is empty: give the reason, for those who read the history later")
    return Cause(why, who or getpass.getuser())
