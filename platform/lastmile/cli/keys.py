"""`lastmile keys`: API keys of programs and devices."""

import getpass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.settings import Settings

keys = typer.Typer(help="API keys of programs and devices.", no_args_is_help=True)


@keys.command("list")
def list_keys() -> None:
    """Show all keys there are and were, without what proves them.

    Example: lastmile keys list
    """
    from lastmile.access import keys as room

    with opened(Settings.from_environment()) as (connection, _):
        found = room.keys(connection)
    table = Table("prefix", "name", "role", "datasets", "made", "ends", "last used", "revoked", box=None)
    for key in found:
        days = [key.created_at, key.expires_at, key.last_used_at, key.revoked_at]
        shown = [f"{day:%Y-%m-%d}" if day else "" for day in days]
        table.add_row(key.prefix, key.name, key.role, ", ".join(key.datasets or ()), *shown)
    Console().print(table if found else "no keys yet; make one with `lastmile keys create NAME --role engineer`")


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What has it, such as 'tablet 7'")],
    role: Annotated[str, typer.Option(help="viewer, analyst, engineer, admin or device")] = "viewer",
    dataset: Annotated[
        list[str] | None, typer.Option(help="A dataset it may upload to; may be repeated. A device needs one.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="A permission it has, of those of its role; may be repeated.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Days until it ends; without, it does not.", min=1)] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the key and nothing else.")] = False,
) -> None:
    """Make an API key. It is shown once: what proves it is not kept.

    Example: lastmile keys create 'tablet 7' --role device --dataset hhinfo --days 90
    """
    from lastmile.access import keys as room
    from lastmile.access.secret import secret

    settings = Settings.from_environment()
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with opened(settings) as (connection, _):
        key, made = room.create(
            connection,
            secret(settings),
            name,
            role,  # type: ignore[arg-type]  # it checks
            getpass.getuser(),
            scopes=scope,  # type: ignore[arg-type]  # it checks
            datasets=dataset,
            expires_at=expires_at,
        )
    if quiet:
        print(key)
        return
    Console().print(f"{key}\nis shown this once; `lastmile keys revoke {made.prefix}` makes it void", highlight=False)


@keys.command()
def revoke(prefix: Annotated[str, typer.Argument(help="Its prefix, as `lastmile keys list` shows it")]) -> None:
    """Make a key void at once.

    Example: lastmile keys revoke k3f9a2bxyz
    """
    from lastmile.access import keys as room

    with opened(Settings.from_environment()) as (connection, _):
        room.revoke(connection, prefix, getpass.getuser())
    Console().print(f"{prefix} is void", highlight=False)
