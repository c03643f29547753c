"""`lastmile quarantine`: what was set aside, why, and what becomes of it."""

import typer

from lastmile.cli.quarantine.decisions import discard, release
from lastmile.cli.quarantine.export import export
from lastmile.cli.quarantine.listing import overview, show

quarantine = typer.Typer(
    help="Look at what was set aside and why; take it again after a fix, or give it up.", no_args_is_help=True
)
quarantine.command("list")(overview)
for command in (show, export, release, discard):
    quarantine.command()(command)
