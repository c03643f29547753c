"""Options that mean the same in several commands, and asking whether to go on."""

import sys
from typing import Annotated

import typer

from lastmile.errors import UserError

Dataset = Annotated[str | None, typer.Option("--dataset", help="Only this dataset.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on without confirmation.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done, or leave it to the platform.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]


def agreed(question: str, yes: bool, instead: str = "") -> None:
    """Go on only with the user's consent. Raises UserError where there is no terminal, with what else can be done."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{question} There is no terminal to confirm it: say so with --yes{instead}")
    typer.confirm(question, abort=True)
