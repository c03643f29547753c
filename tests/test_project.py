"""Where a project is found, what it says of itself, and what is said where there is none."""

import sys
from pathlib import Path

import pytest

from lastmile.errors import UserError
from lastmile.project import Project
from lastmile.settings import Settings

DECLARED = '[tool.dg.project]\nroot_module = "content"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory outside of any project, with nothing set in the environment."""
    for name in ("LASTMILE_PROJECT", "LASTMILE_HOME", "LASTMILE_ASSETS", "LASTMILE_STORE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_the_nearest_folder_upwards_whose_pyproject_declares_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "pyproject.toml").write_text(DECLARED)
    deep = folder / "notebooks" / "old"
    deep.mkdir(parents=True)
    (deep / "pyproject.toml").write_text('[project]\nname = "something else"\n')
    monkeypatch.chdir(deep)
    assert Project.current() == Project(folder, "content", "content.definitions", folder / "dbt_project")
    settings = Settings.from_environment()
    assert (settings.home, settings.assets) == (folder / ".lastmile", "content")


def test_the_one_named_in_the_environment_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "pyproject.toml").write_text(DECLARED)
    (folder / "other").mkdir()
    (folder / "other" / "pyproject.toml").write_text('[tool.lastmile]\ndbt_project = "sql"\n')
    monkeypatch.setenv("LASTMILE_PROJECT", str(folder / "other"))
    found = Project.current()
    assert (found.assets, found.definitions, found.dbt_project) == (
        "assets",
        "assets.definitions",
        folder / "other" / "sql",
    )


def test_without_one_the_message_says_where_it_looked_and_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=rf"{folder} and the folders above it .* Run `lastmile init mydir`"):
        Settings.from_environment()
    monkeypatch.setenv("LASTMILE_PROJECT", "/nowhere")
    with pytest.raises(UserError, match=r"/nowhere \(LASTMILE_PROJECT\) has no pyproject.toml"):
        Project.current()


def test_an_installation_given_by_its_home_alone_needs_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LASTMILE_HOME", str(folder / "home"))
    assert Settings.from_environment().assets == "assets"


def test_a_pyproject_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.dg")
    with pytest.raises(UserError, match=rf"cannot read {folder / 'pyproject.toml'}: .*; correct that file"):
        Project.current()


def test_its_package_is_found_by_this_process_and_those_it_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "pyproject.toml").write_text(DECLARED)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    for _ in range(2):
        Project.current().make_importable()
    assert sys.path[0] == str(folder)
    assert sys.path.count(str(folder)) == 1
    import os

    assert os.environ["PYTHONPATH"] == f"{folder}{os.pathsep}/somewhere"
