"""Arguments that mean the same in several of the commands."""

from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="Model, as `lastmile models list` shows it.")]
