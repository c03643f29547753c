"""dbt in Dagster: which prepared project a process works with, and the command that runs it.

The code server prepares the project when it loads the code, and passes its folder to the workers of its runs: a run
makes what the web UI showed when it was requested, even if a model was saved since, and parses nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from lastmile.contracts.contract import Contract
from lastmile.orchestration.dagster_compat.code_loading import hand_down, handed_down
from lastmile.orchestration.dagster_compat.dbt import DbtCommand
from lastmile.settings import Settings
from lastmile.warehouse.dbt.project import DBT, is_ready, prepared

_KEY = "lastmile/dbt_project"


def project_folder(contracts: Mapping[str, Contract]) -> Path:
    """The folder that the code server named, where it is still there; else that of the project as it is now."""
    named = handed_down(_KEY)
    if named and is_ready(Path(named)):
        return Path(named)
    folder = prepared(Settings.from_environment(), contracts)
    hand_down(_KEY, str(folder))
    return folder


def dbt_resource(contracts: Mapping[str, Contract]) -> DbtCommand:
    """dbt in the project that `warehouse_assets` are made from."""
    folder = str(project_folder(contracts))
    return DbtCommand(project_dir=folder, profiles_dir=folder, dbt_executable=str(DBT))
