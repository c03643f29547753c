"""What people work on: the folder whose pyproject.toml says `[tool.dg.project]` or `[tool.lastmile]`.

It holds the package that says what is made, by domain, and a dbt project. Nothing else has a place that is known
beforehand, so the engine works from a wheel as it does from a checkout.

    [tool.dg]
    directory_type = "project"

    [tool.dg.project]
    root_module = "assets"                                  # the package
    code_location_target_module = "assets.definitions"      # unless it is <root_module>.definitions

    [tool.lastmile]
    dbt_project = "dbt_project"                             # unless it is that
"""

import os
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lastmile.errors import UserError

#: The package that says what is made, where no project names another.
ASSETS = "assets"
_FILE = "pyproject.toml"


@cache
def _tools(file: Path, changed_at: int) -> dict[str, Any]:  # noqa: ARG001  # looked for dozens of times, read once
    tools: dict[str, Any] = tomllib.loads(file.read_text()).get("tool", {})
    return tools


@dataclass(frozen=True)
class Project:
    """`assets` is the import package, `definitions` the module of its code location, `dbt_project` a folder."""

    folder: Path
    assets: str
    definitions: str
    dbt_project: Path

    @classmethod
    def current(cls) -> "Project":
        """The project that `find` finds. Raises UserError where there is none."""
        if found := cls.find():
            return found
        named = os.environ.get("LASTMILE_PROJECT")
        where = f"{named} (LASTMILE_PROJECT) has" if named else f"{Path.cwd()} and the folders above it have"
        raise UserError(
            f"no project: {where} no {_FILE} with [tool.dg.project] or [tool.lastmile]."
            " Run `lastmile init mydir` to make one, or cd into a project."
        )

    @classmethod
    def find(cls) -> "Project | None":
        """The project in LASTMILE_PROJECT, else in the nearest folder upwards from the working directory.

        Raises UserError where a pyproject.toml cannot be read.
        """
        named = os.environ.get("LASTMILE_PROJECT")
        if named:
            return cls._in(Path(named).expanduser().resolve())
        here = Path.cwd()
        return next(filter(None, map(cls._in, (here, *here.parents))), None)

    @classmethod
    def _in(cls, folder: Path) -> "Project | None":
        file = folder / _FILE
        try:
            tools = _tools(file, file.stat().st_mtime_ns)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UserError(f"cannot read {file}: {error}; correct that file") from None
        if "project" not in tools.get("dg", {}) and "lastmile" not in tools:
            return None
        declared, own = tools.get("dg", {}).get("project", {}), tools.get("lastmile", {})
        assets = declared.get("root_module", ASSETS)
        definitions = declared.get("code_location_target_module", f"{assets}.definitions")
        return cls(folder, assets, definitions, folder / own.get("dbt_project", "dbt_project"))

    def make_importable(self) -> None:
        """Put the folder first on the import path of this process and of those it starts: a project need not be
        installed."""
        folder, further = str(self.folder), os.environ.get("PYTHONPATH")
        if folder not in sys.path:
            sys.path.insert(0, folder)
        if folder not in (further or "").split(os.pathsep):
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, further]))
