"""Which preparation of the dbt project a process works with.

The code server prepares the project when it loads the code, and tells the workers of its runs which one that was: a run
makes what the web UI showed when it was asked for, even if a model was saved since, and parses nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from lastmile.contracts.contract import Contract
from lastmile.orchestration.dagster_compat.code_loading import hand_down, handed_down
from lastmile.settings import Settings
from lastmile.warehouse.dbt.project import is_ready, prepared

_KEY = "lastmile/dbt_project"


def project_folder(contracts: Mapping[str, Contract]) -> Path:
    """The folder that the code server named, where it is still there; else that of the project as it is now."""
    named = handed_down(_KEY)
    if named and is_ready(Path(named)):
        return Path(named)
    folder = prepared(Settings.from_environment(), contracts)
    hand_down(_KEY, str(folder))
    return folder
