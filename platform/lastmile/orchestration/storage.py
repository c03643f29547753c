"""Where Dagster keeps its own state: in the platform's Postgres, whose address is in the environment.

Named in dagster.yaml. A tool that only reads definitions, such as `dg check defs`, needs no database: where there is
neither an address nor a DAGSTER_HOME, the instance is a temporary one, as everywhere in Dagster.
"""

import os
from tempfile import TemporaryDirectory
from typing import Any

from lastmile.errors import UserError
from lastmile.orchestration.dagster_compat.storage import (
    ConfigurableClass,
    ConfigurableClassData,
    DagsterPostgresStorage,
    DagsterSqliteStorage,
    DagsterStorage,
)

URL = "LASTMILE_DAGSTER_URL"


class PlatformStorage(DagsterStorage, ConfigurableClass):
    """Chooses the storage: what it makes is one of Dagster's own, never one of this class."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> DagsterStorage:  # noqa: ARG003
        """Raises UserError where a process that works with others, so not on a temporary instance, has no address."""
        if url := os.environ.get(URL):
            return DagsterPostgresStorage(url, inst_data=inst_data)
        if os.environ.get("DAGSTER_HOME") or os.environ.get("DAGSTER_IS_DEV_CLI"):
            raise UserError(
                f"no database for Dagster: {URL} is not set. `lastmile up` sets it for what it starts; for another"
                ' program run `eval "$(lastmile env)"` first.'
            )
        return DagsterSqliteStorage(_temporary_folder(), inst_data=inst_data)


def _temporary_folder() -> str:
    folder = TemporaryDirectory(prefix="lastmile-dagster-")
    _folders.append(folder)
    return folder.name


#: Removed when the process ends.
_folders: list[TemporaryDirectory[str]] = []
