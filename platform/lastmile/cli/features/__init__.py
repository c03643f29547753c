"""`lastmile features`: the feature sets there are, and their rows as files."""

import typer

from lastmile.cli.features.listing import overview
from lastmile.cli.features.load import load

features = typer.Typer(
    help="List feature sets; write their rows, as they were known on a day, to a file.", no_args_is_help=True
)
features.command("list")(overview)
features.command()(load)
