"""`lastmile users`: who signs in to the API and the web UI, with which role."""

import getpass
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.settings import Settings

users = typer.Typer(help="Who signs in to the API and the web UI, with which role.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the user, such as ada or ada@example.org")]
RoleOption = Annotated[str, typer.Option("--role", help="viewer, analyst, engineer or admin")]


@users.command("list")
def list_users() -> None:
    """Show all users.

    Example: lastmile users list
    """
    from lastmile.access import users as room

    with opened(Settings.from_environment()) as (connection, _):
        found = room.users(connection)
    table = Table("name", "role", "signs in with", "since", "disabled", box=None)
    for user in found:
        disabled = f"{user.disabled_at:%Y-%m-%d}" if user.disabled_at else ""
        table.add_row(user.name, user.role, user.issuer or "a password", f"{user.created_at:%Y-%m-%d}", disabled)
    Console().print(table if found else "no users yet; add one with `lastmile users add NAME --role admin`")


@users.command()
def add(name: Name, role: RoleOption = "viewer") -> None:
    """Add a user; the password is prompted for, or read from standard input.

    From the first user on, the web UI and the paths for monitoring need a sign-in, too.

    Example: lastmile users add ada --role engineer
    """
    from lastmile.access import users as room

    room.check(name, role)
    password = _password()
    with opened(Settings.from_environment()) as (connection, _):
        user = room.add(connection, name, role, password, getpass.getuser())  # type: ignore[arg-type]  # checked above
    Console().print(f"added {user.name}, {user.role}", highlight=False)


@users.command()
def role(name: Name, role: Annotated[str, typer.Argument(help="viewer, analyst, engineer or admin")]) -> None:
    """Give a user another role; it counts at once.

    Example: lastmile users role ada admin
    """
    from lastmile.access import users as room

    with opened(Settings.from_environment()) as (connection, _):
        user = room.change_role(connection, name, role, getpass.getuser())  # type: ignore[arg-type]  # it checks
    Console().print(f"{user.name} is {user.role}", highlight=False)


@users.command()
def password(name: Name) -> None:
    """Give a user another password, and end all sessions of the user.

    Example: lastmile users password ada
    """
    from lastmile.access import users as room

    chosen = _password()
    with opened(Settings.from_environment()) as (connection, _):
        room.change_password(connection, name, chosen, getpass.getuser())
    Console().print(f"{name} has another password, and is signed out everywhere", highlight=False)


@users.command()
def disable(name: Name) -> None:
    """End all sessions of a user, who cannot sign in any more; `enable` undoes it.

    Example: lastmile users disable ada
    """
    from lastmile.access import users as room

    with opened(Settings.from_environment()) as (connection, _):
        room.disable(connection, name, getpass.getuser())
    Console().print(f"{name} is disabled, and signed out everywhere", highlight=False)


@users.command()
def enable(name: Name) -> None:
    """Let a disabled user sign in again.

    Example: lastmile users enable ada
    """
    from lastmile.access import users as room

    with opened(Settings.from_environment()) as (connection, _):
        room.enable(connection, name, getpass.getuser())
    Console().print(f"{name} may sign in", highlight=False)


def _password() -> str:
    """From the terminal, twice; or a line of standard input, where that is none."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    found: str = typer.prompt("password", hide_input=True, confirmation_prompt=True)
    return found
