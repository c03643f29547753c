"""Where Dagster keeps its own state: in the platform's Postgres, whose address is in the environment.

Named in dagster.yaml. A tool that only reads definitions, such as `dg check defs`, needs no database: where there is
neither an address nor a DAGSTER_HOME, the instance is a temporary one, as everywhere in Dagster.
"""

import atexit
import os
from tempfile import TemporaryDirectory
from typing import Any

from dagster import DagsterInstance

from lastmile.errors import UserError
from lastmile.orchestration.dagster_compat.storage import (
    ConfigurableClass,
    ConfigurableClassData,
    DagsterPostgresStorage,
    DagsterSqliteStorage,
    DagsterStorage,
)
from lastmile.settings import Settings
from lastmile.settings.group import load
from lastmile.settings.surroundings import Surroundings
from lastmile.warehouse.connections import dagster_url

_FOLDER = "LASTMILE_DAGSTER_TEMPORARY"


class PlatformStorage(DagsterStorage, ConfigurableClass):
    """Chooses the storage: what it makes is one of Dagster's own, never one of this class."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]  # any DagsterStorage will do
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Any,  # noqa: ARG003
    ) -> DagsterStorage[DagsterInstance]:
        """Raises UserError where a process of an installation, which is one with a DAGSTER_HOME, has no address."""
        if url := _url():
            return DagsterPostgresStorage(url, inst_data=inst_data)
        if os.environ.get("DAGSTER_HOME"):
            raise UserError(
                "no database for Dagster: neither LASTMILE_DATABASE_URL nor LASTMILE_DAGSTER_URL is set. `lastmile up`"
                ' sets both for what it starts; for another program run `eval "$(lastmile env)"` first.'
            )
        return DagsterSqliteStorage(_temporary_folder(), inst_data=inst_data)


def _url() -> str | None:
    """The address given, else the platform's own database; None where definitions are only looked at."""
    if given := load(Surroundings).dagster_url:
        return given
    database = load(Settings).given_database_url if os.environ.get("DAGSTER_HOME") else None
    return dagster_url(database) if database else None


def _temporary_folder() -> str:
    """The same for this process and those it starts; removed when this one ends."""
    if _FOLDER not in os.environ:
        folder = TemporaryDirectory(prefix="lastmile-dagster-", ignore_cleanup_errors=True)
        atexit.register(folder.cleanup)
        os.environ[_FOLDER] = folder.name
    return os.environ[_FOLDER]
