"""`lastmile quarantine`: what was set aside, why, and what becomes of it."""

import typer

from lastmile.commands.quarantine.deciding import discard, release
from lastmile.commands.quarantine.exporting import export
from lastmile.commands.quarantine.looking import overview, show

quarantine = typer.Typer(
    help="Look at what was set aside and why; take it again after a fix, or give it up.", no_args_is_help=True
)
quarantine.command("list")(overview)
for command in (show, export, release, discard):
    quarantine.command()(command)
