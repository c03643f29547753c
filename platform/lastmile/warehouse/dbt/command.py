"""dbt's command line on this installation's database, for people who work on the project."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lastmile.project import Project
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect, libpq_environment
from lastmile.warehouse.dbt.engine_macros import link_macros
from lastmile.warehouse.dbt.profile import write_profile
from lastmile.warehouse.dbt.project import DBT


def run_dbt(database_url: str, arguments: Sequence[str], variables: Mapping[str, str] = {}) -> int:
    """Exit code of dbt, which has our input, output and Ctrl-C; `variables` come on top of the installation's."""
    project = Path(os.environ.get("DBT_PROJECT_DIR") or Project.current().dbt_project)
    link_macros(project)
    environment = {
        **os.environ,
        "DBT_PROJECT_DIR": str(project),
        **libpq_environment(database_url),
        "DBT_PROFILES_DIR": str(write_profile(database_url)),
        **variables,
    }
    before = signal.signal(signal.SIGINT, _leave_it_to_dbt)
    try:
        return subprocess.run([DBT, *arguments], env=environment, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_it_to_dbt(*_: object) -> None:
    """Ctrl-C goes to dbt as well, which cancels its queries and says so. To ignore it would make dbt ignore it too."""


def ensure_sources(settings: Settings, database_url: str) -> None:
    """Make the tables that dbt reads where nothing was ever loaded into this database."""
    from lastmile.contracts.loading import load_contracts
    from lastmile.warehouse.migrate import migrate
    from lastmile.warehouse.tables import ensure_table

    with connect(database_url) as connection:
        if connection.execute("SELECT FROM pg_tables WHERE schemaname = 'raw' LIMIT 1").fetchone() is None:
            migrate(database_url)
            for contract in load_contracts(settings.assets).values():
                ensure_table(connection, contract)
