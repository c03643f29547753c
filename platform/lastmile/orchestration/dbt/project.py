"""dbt in Dagster: which prepared project a process works with, and the command that runs it.

The code server prepares the project when it loads the code, and passes its folder to the workers of its runs: a run
makes what the web UI showed when it was requested, even if a model was saved since, and parses nothing.

dbt parses a project whole or not at all. Where it does not, the project as it last parsed is used until it does again;
in a home where it never did, the models that dbt names are left out, one after another.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from lastmile.contracts.broken import Broken
from lastmile.contracts.contract import Contract
from lastmile.orchestration.dagster_compat.code_loading import hand_down, handed_down
from lastmile.orchestration.dagster_compat.dbt import DbtCommand
from lastmile.project import Project
from lastmile.settings import Settings
from lastmile.warehouse.dbt.project import DBT, changed_since, is_ready, last_prepared, prepared
from lastmile.warehouse.dbt.sources import NONE, Brought

_KEY = "lastmile/dbt_project"
_FILE = re.compile(r"\b(?:models|snapshots)/[^\s'\"():,]+\.(?:sql|ya?ml|py|md)")
#: Each costs a parse of three seconds.
_MOST_LEFT_OUT = 20
_MOST_NAMED = 5


def project_folder(contracts: Mapping[str, Contract], brought: Brought = NONE) -> Path:
    """The folder that the code server named, where it is still there; else that of the project as it is now."""
    named = handed_down(_KEY)
    if named and is_ready(Path(named)):
        return Path(named)
    folder = prepared(Settings.from_environment(), contracts, brought=brought)
    hand_down(_KEY, str(folder))
    return folder


def usable_project(contracts: Mapping[str, Contract], brought: Brought = NONE) -> tuple[Path | None, list[Broken]]:
    """As `project_folder`, or of what there is instead where the project does not parse, and what is wrong with it.

    None where nothing parses.
    """
    try:
        return project_folder(contracts, brought), []
    except Exception as error:
        folder, broken = _instead(contracts, brought, error)
    if folder:
        hand_down(_KEY, str(folder))
    return folder, broken


def dbt_resource(contracts: Mapping[str, Contract], folder: Path | None = None) -> DbtCommand:
    """dbt in the project that `warehouse_assets` are made from."""
    used = str(folder or project_folder(contracts))
    return DbtCommand(project_dir=used, profiles_dir=used, dbt_executable=str(DBT))


def _instead(contracts: Mapping[str, Contract], brought: Brought, error: Exception) -> tuple[Path | None, list[Broken]]:
    settings = Settings.from_environment()
    if last := last_prepared(settings):
        changed = changed_since(last, Project.current().dbt_project)
        since = f" (changed since: {', '.join(map(str, changed[:_MOST_NAMED]))})" if changed else ""
        found = _named_file(str(error), ()) or next(iter(changed), None)
        return last, [_broken(error, f"; the project as it last parsed is used meanwhile{since}", found)]
    without: list[Path] = []
    broken: list[Broken] = []
    while (file := _named_file(str(error), without)) and len(without) < _MOST_LEFT_OUT:
        broken.append(_broken(error, "", file))
        without.append(file)
        try:
            return prepared(settings, contracts, without=without, brought=brought), broken
        except Exception as another:
            error = another
    return None, [*broken, _broken(error, "; no table of the warehouse is made until it parses")]


def _named_file(message: str, without: Collection[Path]) -> Path | None:
    """The last file of models that dbt names and that is still there: of two models of one name, the second."""
    named = [Path(name) for name in _FILE.findall(message)]
    return next((file for file in reversed(named) if file not in without), None)


def _broken(error: Exception, then: str, file: Path | None = None) -> Broken:
    said = str(error)
    found = file or _named_file(said, ())
    words = " ".join(said.partition("Encountered an error:")[2].partition("Traceback")[0].split() or said.split())
    where = Project.current().dbt_project.name
    return Broken("dbt model", str(Path(where) / (found or "")), f"{words}{then}", said)
