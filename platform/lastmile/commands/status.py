"""`lastmile status`: what there is and what is waiting."""

import json
from typing import Annotated

import typer
from rich.console import Console

from lastmile.running.display import report
from lastmile.settings import Settings


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Show drops, rows, backlog, models and predictions.

    Example: lastmile status --json
    """
    from lastmile.intake.state import summary
    from lastmile.store import open_store
    from lastmile.warehouse.connecting import connect, database
    from lastmile.warehouse.migrating import migrate

    settings = Settings.from_environment()
    with database(settings) as url:
        migrate(url)
        with connect(url) as connection:
            state = summary(connection, open_store(settings).url)
    if as_json:
        print(json.dumps(state))
        return
    console = Console()
    report(console, state)
    by_state = ", ".join(f"{count} {name}" for name, count in sorted(state["drops"].items())) or "none yet"
    console.print(f"drops    {by_state}")
    console.print(
        f"backlog  {state['backlog']} waiting"
        + (f", the oldest for {state['lag_seconds']:.0f} s" if state["backlog"] else "")
    )
