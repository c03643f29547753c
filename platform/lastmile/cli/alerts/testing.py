"""`lastmile alerts test`: a message to every channel, and what became of it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.alerts import AlertSettings
from lastmile.settings.group import load


def try_channels(
    channel: Annotated[str | None, typer.Option(help="Only this channel.")] = None,
    owner: Annotated[str | None, typer.Option(help="The channels that alerts of this owner go to.")] = None,
) -> None:
    """Send a test message, and say what happened; the exit code is 1 where a channel did not accept it.

    Example: lastmile alerts test --channel survey-team
    """
    from lastmile.contracts.loading import load_routes
    from lastmile.operations.alerts.delivery.channels import channels
    from lastmile.operations.alerts.trial import chosen, trial

    settings, known = Settings.from_environment(), channels(load(AlertSettings))
    if not known:
        raise UserError(
            "no channel is configured: set LASTMILE_ALERTS_CHANNELS, such as"
            " survey-team=mailtos://user:password@example.org?to=ada@example.org (docs/alerts.md)"
        )
    names = chosen(known, load_routes(settings.assets)[0], channel, owner)
    table, console = Table("channel", "", "what happened", box=None), Console()
    outcomes = {name: trial(known[name], owner or "everyone") for name in names}
    for name, why in outcomes.items():
        table.add_row(
            name, "[green]sent[/]" if why is None else "[red]failed[/]", escape(why or "the service accepted it")
        )
    console.print(table)
    if any(outcomes.values()):
        raise typer.Exit(1)
