"""`lastmile dbt`: dbt's own command line with this installation's database, whether the platform is up or not."""

import typer

from lastmile.settings import Settings


def dbt(context: typer.Context) -> None:
    """Run dbt in the checkout's project with whatever follows; the exit code is dbt's.

    It writes into a schema of your own, dbt_<user>, unless --target says prod. An embedded database that is down is
    started for the while.

    Example: lastmile dbt build --select dim_survey
    """
    from lastmile.embedded.database import database
    from lastmile.warehouse.dbt.command import ensure_sources, run_dbt

    settings = Settings.from_environment()
    with database(settings) as url:
        ensure_sources(settings, url)
        code = run_dbt(url, context.args)
    raise typer.Exit(code)
