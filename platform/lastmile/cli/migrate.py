"""`lastmile migrate`: bring a database to what this code expects, before its processes are started."""

import os
from dataclasses import replace

import typer
from rich.console import Console

from lastmile.settings import Settings


def migrate() -> None:
    """Migrate the database: the platform's own tables, in one transaction, and Dagster's.

    `lastmile up` does so by itself. On a cluster it is a job of its own, before processes of the new version start;
    several at once do no harm. A database that newer code has migrated is refused and left as it is.

    Example: lastmile migrate
    """
    from lastmile.embedded.container import surroundings
    from lastmile.embedded.database import database
    from lastmile.orchestration.migration import migrate_dagster
    from lastmile.warehouse.migrate import migrate as migrate_platform
    from lastmile.warehouse.migrate import pending

    settings, console = Settings.from_environment(), Console()
    with database(settings) as url:
        os.environ.update(surroundings(replace(settings, given_database_url=url)))
        missing = pending(url)
        migrate_platform(url)
        migrate_dagster(typer.echo)
    console.print(f"applied {', '.join(missing)}" if missing else "all migrations were applied before")
