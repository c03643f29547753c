"""Arguments that mean the same in several of the commands."""

from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="The experiment.", metavar="NAME")]
