"""`lastmile dbt-sources`: contracts, windows and followed tables as dbt sources, in the file that is committed with the
dbt project."""

from typing import Annotated

import typer

from lastmile.errors import UserError
from lastmile.project import Project
from lastmile.settings import Settings


def dbt_sources(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 where the file is behind.")
    ] = False,
) -> None:
    """Write the dbt project's `models/staging/_sources.yml` from the contracts, the windows of streams and
    the databases that are followed.

    The platform does not need the file: it gives dbt the sources of the contracts as they are. It is for
    `lastmile dbt`, for editors and for reviews.

    Example: lastmile dbt-sources
    """
    from lastmile.catalogue.brought import declared_tables
    from lastmile.contracts.loading import load_contracts
    from lastmile.warehouse.dbt.sources import SOURCES, are_current, write_sources

    assets, project = Settings.from_environment().assets, Project.current().dbt_project
    contracts = load_contracts(assets)
    brought = declared_tables(assets, contracts)
    file = project / SOURCES
    if are_current(contracts, project, brought):
        print(f"{file} is up to date")
    elif check:
        raise UserError(f"{file} is not what the contracts give; run `lastmile dbt-sources` and commit it")
    else:
        write_sources(contracts, project, brought)
        print(f"wrote {file}")
