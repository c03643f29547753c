"""`lastmile config`: what is set, where it is from, and whether it can be used."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lastmile.errors import UserError

config = typer.Typer(help="Settings: what is set, where it is from, whether it can be used.", no_args_is_help=True)


@config.command()
def show(
    changed: Annotated[bool, typer.Option("--changed", help="Only those that are not the default.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list, for programs.")] = False,
) -> None:
    """Show every setting as it is and where it is from; secrets are hidden.

    Example: lastmile config show --changed
    """
    from lastmile.settings import shown
    from lastmile.settings.start import warn_of_unknown

    warn_of_unknown()
    found = [line for line in shown.lines() if line.is_changed or not changed]
    if as_json:
        print(json.dumps(shown.as_json(found), indent=2))
        return
    table = Table("setting", "value", "from", box=None)
    for line in found:
        table.add_row(line.name, Text(line.value or "-"), Text(line.source))
    Console().print(table if found else "all are the default; `lastmile config show` lists them")


@config.command()
def check() -> None:
    """Look whether every setting can be used; the exit code is 1 if one cannot, or is not known.

    Nothing is connected to but the secrets that settings refer to; `lastmile doctor` tries the rest.

    Example: lastmile config check
    """
    from lastmile.settings.all import all_faults, groups, unknown
    from lastmile.settings.group import variables

    found = [*all_faults(), *unknown()]
    if found:
        raise UserError("\n  ".join([f"{len(found)} to be mended:", *found]))
    print(f"all {sum(len(list(variables(group))) for group in groups())} settings can be used")


@config.command()
def docs() -> None:
    """Print the tables of docs/configuration.md: every setting, its default and what it is for.

    Example: lastmile config docs
    """
    from lastmile.settings.shown import page

    print(page(), end="")
