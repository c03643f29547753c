"""`lastmile source`: what the platform fetches from APIs and databases, and fetching it now."""

import typer

from lastmile.cli.source.following import drop
from lastmile.cli.source.listing import overview, show
from lastmile.cli.source.running import run

source = typer.Typer(
    help="APIs and databases that the platform fetches from: which, how it went, fetching now.", no_args_is_help=True
)
source.command("list")(overview)
for command in (run, show, drop):
    source.command()(command)
