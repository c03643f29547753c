"""`lastmile quarantine`: what is quarantined, why, and what becomes of it."""

import typer

from lastmile.cli.quarantine.correct import correct
from lastmile.cli.quarantine.decisions import discard, release
from lastmile.cli.quarantine.export import export
from lastmile.cli.quarantine.listing import overview, show

quarantine = typer.Typer(
    help="Query what is quarantined and why; correct it, release it after a fix, or discard it.", no_args_is_help=True
)
quarantine.command("list")(overview)
for command in (show, export, correct, release, discard):
    quarantine.command()(command)
