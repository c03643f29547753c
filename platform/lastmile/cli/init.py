"""`lastmile init`: a project of one's own, small enough to read in a minute and complete enough to run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from lastmile.errors import UserError

_TEMPLATE = Path(__file__).with_name("template")
#: The word in the template that the project's name replaces, and where it stands.
_NAME = "my_project"
_NAMED = ("pyproject.toml", "dbt_project/dbt_project.yml")
_MADE = """made a project in {folder}, of four files that are yours to change:
  pyproject.toml                                     says that this is a project, and which package is its content
  assets/field_team/contracts/visits.py              a dataset: its columns and how it arrives
  dbt_project/models/marts/summary_visits_year.sql   a table made from it
  assets/definitions.py                              the code location: whatever is declared in assets/
and what Python, dbt and git need besides: __init__.py files, dbt_project.yml and the sources of its models, .gitignore.

next:
  cd {folder}
  printf 'visit,persons,village\\nv1,3,Gao\\nv2,5,Mopti\\n' > visits.csv
  lastmile drop visits.csv --dataset visits --partition 2024
  lastmile up"""


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder: new, or empty.", show_default=False)],
) -> None:
    """Make a project in a new folder: a contract, a dbt model, a definitions file, a pyproject.

    Example: lastmile init mydir
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not an empty folder; name a new one")
    try:
        _copy(folder)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror}; choose a folder you can write to") from None
    _write_sources(folder)
    print(_MADE.format(folder=folder))


def _copy(folder: Path) -> None:
    name = _name_for(folder)
    shutil.copytree(_TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (folder / "gitignore").rename(folder / ".gitignore")
    for file in (folder / named for named in _NAMED):
        file.write_text(file.read_text().replace(_NAME, name))


def _name_for(folder: Path) -> str:
    """The folder's name as dbt and Python accept it."""
    name = re.sub(r"[^a-z0-9]+", "_", folder.resolve().name.lower()).strip("_")
    return name if re.match("[a-z]", name) else f"{_NAME}_{name}".rstrip("_")


def _write_sources(folder: Path) -> None:
    """In a process of its own: this one may have another project's package imported already."""
    own = {name: value for name, value in os.environ.items() if name not in ("LASTMILE_ASSETS", "LASTMILE_HOME")}
    subprocess.run(
        [sys.executable, "-m", "lastmile.cli", "dbt-sources"],
        env={**own, "LASTMILE_PROJECT": str(folder.resolve())},
        stdout=subprocess.DEVNULL,
        check=True,
    )
