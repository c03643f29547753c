"""The documentation names commands, options, files and pages that there are."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from checkout import PROJECT
from typer.core import TyperGroup

from lastmile.cli.app import app

PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
#: What a running platform makes, and examples.
NOT_HERE = re.compile(
    r"dbt_project/profiles\.yml|.*_region\.sql|target/|cleaned/|models/|reports/|\.lastmile/|assets/(DOMAIN|field_team)/"
    r"|.*visits_year\.sql"
)
COMMANDS = [
    line.split(" #")[0].strip()
    for page in PAGES
    for block in re.findall(r"```\w*\n(.*?)```", page.read_text(), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("lastmile ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_is_one_with_these_options(command: str) -> None:
    found, words = typer.main.get_command(app), shlex.split(command)[1:]
    while isinstance(found, TyperGroup):
        if found.invoke_without_command and (not words or words[0].startswith("-")):
            break
        assert words[0] in found.commands
        found = found.commands[words.pop(0)]
    if found.context_settings.get("ignore_unknown_options"):
        return  # the rest is for another program
    known = {name for param in found.params for name in (*param.opts, *param.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_links_to_files_that_there_are(page: Path) -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)", page.read_text()) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_files_and_folders_that_exist(page: Path) -> None:
    """Paths in backticks, relative to one of these roots; those of examples follow `such as`."""
    named = re.findall(r"(?<!such as )`([\w.-]+/[\w./-]*(?:\.(?:py|md|yml|sql|toml)|/))`", page.read_text())
    roots = [PROJECT, PROJECT / "tests", PROJECT / "dbt_project", PROJECT / "platform" / "lastmile"]
    missing = [path for path in named if not any((root / path).exists() for root in roots)]
    assert [path for path in missing if not NOT_HERE.match(path)] == []


def test_every_page_is_named_in_the_readme() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme] == []
