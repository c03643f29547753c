"""dbt in Dagster: which prepared project a process works with, and the command that runs it.

The code server prepares the project when it loads the code, and passes its folder to the workers of its runs: a run
makes what the web UI showed when it was requested, even if a model was saved since, and parses nothing.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType
from dagster_dbt import DbtCliResource
from packaging.version import Version

from lastmile.contracts.contract import Contract
from lastmile.settings import Settings
from lastmile.warehouse.dbt.project import DBT, is_ready, prepared

_KEY = "lastmile/dbt_project"


def project_folder(contracts: Mapping[str, Contract]) -> Path:
    """The folder that the code server named, where it is still there; else that of the project as it is now."""
    context = DefinitionsLoadContext.get()
    if context.load_type == DefinitionsLoadType.RECONSTRUCTION:
        named = context.reconstruction_metadata.get(_KEY)
        if named and is_ready(Path(named)):
            return Path(named)
    folder = prepared(Settings.from_environment(), contracts)
    context.add_to_pending_reconstruction_metadata(_KEY, str(folder))
    return folder


def dbt_resource(contracts: Mapping[str, Contract]) -> "DbtCommand":
    """dbt in the project that `warehouse_assets` are made from."""
    folder = str(project_folder(contracts))
    return DbtCommand(project_dir=folder, profiles_dir=folder, dbt_executable=str(DBT))


class DbtCommand(DbtCliResource):
    """dbt's command line as it comes with dagster-dbt, less what it does besides.

    Before each command it would run `dbt --version`, which queries the internet for newer ones (1.4 CPU-s), and load an
    adapter that only its own row counts and column lineage need (0.8 CPU-s). Should a later version rename what is
    overridden here, only that saving is lost.
    """

    @cached_property
    def _cli_version(self) -> Version:
        from dbt.version import __version__

        return Version(__version__)

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002  # as overridden
        return None
