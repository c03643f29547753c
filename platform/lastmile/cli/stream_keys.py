"""`lastmile stream key`: what web pages send events to a stream with."""

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.tables import print_table
from lastmile.settings import Settings

stream_keys = typer.Typer(help="Write keys of streams: public, for web pages.", no_args_is_help=True)


@stream_keys.command()
def create(
    name: Annotated[str, typer.Argument(help="The stream whose topic events go to")],
    origin: Annotated[
        list[str] | None, typer.Option(help="A site whose pages may send with it; may be repeated. Without: all.")
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(help="A column that the collector fills in: client_ip, received_at, user_agent; may be repeated."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the key and nothing else.")] = False,
) -> None:
    """Make a write key, and show what a page sends with it.

    Example: lastmile stream key create page_beacons --origin https://shop.example.org --add received_at
    """
    from lastmile.contracts.loading import load_contracts
    from lastmile.streaming.collecting import write_keys
    from lastmile.streaming.declarations.loading import load_streams, stream_of

    settings = Settings.from_environment()
    stream = stream_of(name, load_streams(settings.assets, load_contracts(settings.assets)))
    with opened(settings) as (connection, _):
        made = write_keys.create(connection, stream.name, stream.topic, getpass.getuser(), origin or (), add or ())
    if quiet:
        print(made.key)
        return
    Console().print(
        f"{made.key}\nin a page: navigator.sendBeacon('https://.../collect/{name}?key={made.key}',"
        " JSON.stringify(event))",
        highlight=False,
        soft_wrap=True,
    )


@stream_keys.command("list")
def list_keys(name: Annotated[str | None, typer.Argument(help="Only of this stream")] = None) -> None:
    """Show all write keys there are and were.

    Example: lastmile stream key list
    """
    from lastmile.streaming.collecting import write_keys

    with opened(Settings.from_environment()) as (connection, _):
        found = write_keys.write_keys(connection, name)
    table = Table("key", "stream", "origins", "adds", "made", "revoked", box=None)
    for one in found:
        days = [f"{day:%Y-%m-%d}" if day else "" for day in (one.created_at, one.revoked_at)]
        table.add_row(one.key, one.stream, ", ".join(one.origins) or "all", ", ".join(one.adds), *days)
    if found:
        print_table(table)
    else:
        print("no write keys yet; make one with `lastmile stream key create NAME`")


@stream_keys.command()
def revoke(key: Annotated[str, typer.Argument(help="The key, as `lastmile stream key list` shows it")]) -> None:
    """Make a write key void, within ten seconds.

    Example: lastmile stream key revoke wk_3f9a2bxyz
    """
    from lastmile.streaming.collecting import write_keys

    with opened(Settings.from_environment()) as (connection, _):
        write_keys.revoke(connection, key, getpass.getuser())
    Console().print(f"{key} is void", highlight=False)
