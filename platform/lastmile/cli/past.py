"""What `lastmile clean` says of history, logs and files, and removes of them."""

from typing import TYPE_CHECKING

from rich.filesize import decimal
from rich.progress import Progress

from lastmile.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection
    from rich.console import Console

    from lastmile.store import Store


def surveyed(connection: "Connection", settings: Settings, store: "Store") -> dict[str, int]:
    """How much of each kind is older than it is kept."""
    from lastmile.operations.retention import files, history, logs
    from lastmile.settings.group import load
    from lastmile.settings.retention import RetentionSettings

    keep = load(RetentionSettings)
    of_files = {what: tally.objects for what, tally in files.survey(connection, settings, store, keep).items()}
    return {**history.survey(connection, keep), **logs.survey(connection, keep), **of_files}


def clean_past(connection: "Connection", settings: Settings, store: "Store", console: "Console") -> None:
    """Remove it, and say how much that was."""
    from lastmile.operations.retention import files, history, logs
    from lastmile.settings.group import load
    from lastmile.settings.retention import RetentionSettings

    keep = load(RetentionSettings)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("removing history", total=None)
        gone = history.clean(connection, keep, lambda what, rows: progress.advance(task, rows))
    for what, rows in {**gone, **logs.clean(connection, keep)}.items():
        console.print(f"{what}: {rows:,} rows removed", highlight=False)
    for what, tally in files.clean(connection, settings, store, keep).items():
        console.print(f"{what}: {tally.objects:,} removed, {decimal(tally.bytes)}", highlight=False)
