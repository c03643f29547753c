"""Which preparation of the dbt project a process works with.

The code server prepares the project when it loads the code, and tells the workers of its runs which one that was: a run
makes what the web UI showed when it was asked for, even if a model was saved since, and parses nothing.
"""

from collections.abc import Mapping
from pathlib import Path

from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType

from lastmile.contracts.contract import Contract
from lastmile.settings import Settings
from lastmile.warehouse.dbt.project import is_ready, prepared

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
