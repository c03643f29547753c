"""The help of every command shows how it is typed."""

from collections.abc import Iterator

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from lastmile.cli.app import app

#: It hands its arguments, --help among them, to dbt's own command line.
DBT = "dbt"


def leaves(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from leaves(command, (*path, name))
        elif name != DBT:
            yield " ".join((*path, name)), command


@pytest.mark.parametrize(("name", "command"), list(leaves(typer.main.get_command(app))))
def test_every_command_has_help_with_an_example(name: str, command: TyperCommand) -> None:
    assert command.help is not None
    _, _, example = command.help.partition("Example: ")
    assert f"lastmile {name}" in example
