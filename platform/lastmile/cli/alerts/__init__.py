"""`lastmile alerts`: what is wrong now, who is notified of it, and what happened."""

import typer

from lastmile.cli.alerts.deciding import acknowledge, lift, silence
from lastmile.cli.alerts.listing import history, overview
from lastmile.cli.alerts.testing import try_channels

alerts = typer.Typer(help="What is wrong now, who is notified of it; silence it, try channels.", no_args_is_help=True)
alerts.command("list")(overview)
alerts.command("test")(try_channels)
for command in (silence, lift, acknowledge, history):
    alerts.command()(command)
