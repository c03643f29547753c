"""`lastmile dbt-ci`: build and test what a change of the dbt project touches, in a schema that is gone afterwards."""

import typer

from lastmile.settings import Settings


def dbt_ci() -> None:
    """Build the models that differ from those last built in production, and what is made from them.

    Everything else is read where production made it. The exit code is dbt's.

    Example: lastmile dbt-ci
    """
    from lastmile.embedded.database import database
    from lastmile.warehouse.dbt.slim_ci import build_changes

    settings = Settings.from_environment()
    with database(settings) as url:
        code = build_changes(settings, url)
    raise typer.Exit(code)
