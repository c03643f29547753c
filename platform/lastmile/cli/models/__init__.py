"""`lastmile models`: which version of each model is in use, how it was judged, and changing that."""

import typer

from lastmile.cli.models.calibrate import calibrate
from lastmile.cli.models.changing import hold, promote, release, rollback
from lastmile.cli.models.comparing import card, compare
from lastmile.cli.models.listing import overview, show
from lastmile.cli.models.training import reproduce, train

models = typer.Typer(
    help="Models: what is in use and how good it is; train, compare, promote, roll back, reproduce.",
    no_args_is_help=True,
)
models.command("list")(overview)
for command in (show, compare, card, train, promote, rollback, hold, release, reproduce, calibrate):
    models.command()(command)
