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

_URL, _FOLDER = "LASTMILE_DAGSTER_URL", "LASTMILE_DAGSTER_TEMPORARY"


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
        if url := os.environ.get(_URL):
            return DagsterPostgresStorage(url, inst_data=inst_data)
        if os.environ.get("DAGSTER_HOME"):
            raise UserError(
                f"no database for Dagster: {_URL} is not set. `lastmile up` sets it for what it starts; for another"
                ' program run `eval "$(lastmile env)"` first.'
            )
        return DagsterSqliteStorage(_temporary_folder(), inst_data=inst_data)


def _temporary_folder() -> str:
    """The same for this process and those it starts; removed when this one ends."""
    if _FOLDER not in os.environ:
        folder = TemporaryDirectory(prefix="lastmile-dagster-", ignore_cleanup_errors=True)
        atexit.register(folder.cleanup)
        os.environ[_FOLDER] = folder.name
    return os.environ[_FOLDER]
