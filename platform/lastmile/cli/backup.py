"""`lastmile backup`: make backups, look at them, verify them, and try whether they can be restored."""

import json
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Column, Table

from lastmile.cli.options import AsJson
from lastmile.cli.progress.transfer import transfer
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.backup import BackupSettings
from lastmile.settings.group import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from lastmile.operations.backup.repository import Repository
    from lastmile.operations.backup.routine import Wanted

backup = typer.Typer(
    help="Back up the database and the objects; list, verify and try backups.", invoke_without_command=True
)


@backup.callback()
def back_up_now(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="A full backup, however recent the last one is.")] = False,
    logical: Annotated[
        bool, typer.Option("--logical", help="An export by pg_dump: for a managed Postgres, or another version.")
    ] = False,
) -> None:
    """Back up the database, or what has changed of it since the last backup, and the objects that are new.

    It goes to LASTMILE_BACKUP_URL, encrypted to LASTMILE_BACKUP_RECIPIENTS. The platform may be at work meanwhile. Of a
    Postgres of your own (LASTMILE_DATABASE_URL) it is an export.

    Example: lastmile backup
    """
    if context.invoked_subcommand:
        return
    from lastmile.embedded.database import given_url
    from lastmile.operations.backup.routine import back_up

    settings, console = Settings.from_environment(), Console()
    is_given = given_url(settings) is not None
    if full and (logical or is_given):
        raise UserError(
            "--full is of the embedded Postgres and no export: of a Postgres of your own there are exports, and its"
            " provider keeps what point-in-time recovery needs (docs/backup.md)"
        )
    from lastmile.cli.connection import opened
    from lastmile.embedded.database import running_url

    configured = load(BackupSettings)
    repository = _repository(settings, configured)
    with opened(settings) as (_, store), transfer(console) as progress:
        kind: Wanted = "logical" if logical or is_given else "full" if full else "auto"
        made = back_up(settings, configured, repository, store, running_url(settings), kind, progress)
    one, copied = made.backup, made.copied
    builds_on = f", on {one.parent}" if one.parent else ""
    console.print(f"{one.id}: {one.kind}{builds_on}; {decimal(one.bytes)}, stored as {decimal(one.stored_bytes)}")
    console.print(
        f"objects: {copied.uploaded:,} new contents, {decimal(copied.uploaded_bytes)}, of {copied.objects:,} objects"
        if copied
        else "objects: nothing has changed since the last backup"
    )
    if made.expired.backups:
        console.print(f"not kept any more: {', '.join(made.expired.backups)}")


@backup.command("list")
def list_backups(as_json: AsJson = False) -> None:
    """Show the backups there are, and until when the database's log is archived.

    Example: lastmile backup list
    """
    from lastmile.operations.backup.catalogue import backups
    from lastmile.operations.backup.recovery import reach

    settings = Settings.from_environment()
    repository = _repository(settings, load(BackupSettings))
    found = backups(repository)
    physical = [one for one in found if one.kind != "logical"]
    until = reach(repository, physical[-1]) if physical else None
    if as_json:
        print(json.dumps({"backups": [asdict(one) for one in found], "log_until": until}, default=str))
        return
    numbers = (Column(name, justify="right") for name in ("bytes", "stored"))
    table = Table(Column("id", no_wrap=True), *numbers, "encrypted", "builds on", box=None)
    for one in found:
        table.add_row(one.id, decimal(one.bytes), decimal(one.stored_bytes), _yes(one.is_encrypted), one.parent or "")
    console = Console()
    console.print(table if found else "no backups yet; make one with `lastmile backup`")
    if until:
        console.print(f"the log is archived until {until:%Y-%m-%d %H:%M:%S}Z", highlight=False)


@backup.command()
def verify() -> None:
    """Read every byte that is stored, and name what is damaged or missing; exit code 1 if anything is. Needs no key.

    Example: lastmile backup verify
    """
    from lastmile.operations.backup.catalogue import backups
    from lastmile.operations.backup.verification import faults

    settings, console = Settings.from_environment(), Console()
    repository = _repository(settings, load(BackupSettings))
    with transfer(console) as progress:
        found = faults(repository, progress)
    for fault in found:
        console.print(fault, style="red", markup=False, highlight=False, soft_wrap=True)
    if found:
        raise typer.Exit(1)
    console.print(f"{len(backups(repository))} backups, the log and the objects: nothing is damaged or missing")


@backup.command()
def drill(
    to: Annotated[
        str | None, typer.Option(help="A time, such as 2024-05-01T12:00; else as far as the log goes.")
    ] = None,
) -> None:
    """Restore into a scratch home, compare ledger, tables, objects and models, and remove it again.

    How it went is recorded; exit code 1 where something does not agree.

    Example: lastmile backup drill
    """
    from lastmile.cli.restore import moment, report
    from lastmile.embedded.drill import drill as restore_drill

    settings, console = Settings.from_environment(), Console()
    repository = _repository(settings, load(BackupSettings))
    with _database(settings) as (_, url), transfer(console) as progress:
        made = restore_drill(settings, url, repository, moment(to), progress)
    report(console, made)
    if made.agreement.faults or made.agreement.missing:
        raise typer.Exit(1)


@backup.command()
def key(file: Annotated[Path, typer.Argument(help="A new file, to be kept away from the backups.")]) -> None:
    """Make the key that decrypts backups, under the passphrase LASTMILE_BACKUP_PASSPHRASE if that is set.

    Without this file the backups cannot be read: keep it in two places, none of them the machine that is backed up.

    Example: lastmile backup key backup-key.txt
    """
    from lastmile.operations.backup.encryption import make_identity

    public = make_identity(file, load(BackupSettings).passphrase)
    print(f"the key is in {file}; to make backups, its public part is enough:")
    print(f"LASTMILE_BACKUP_RECIPIENTS={public}")


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _repository(settings: Settings, configured: BackupSettings) -> "Repository":
    from lastmile.operations.backup.repository import open_repository

    return open_repository(settings, configured)


@contextmanager
def _database(settings: Settings) -> "Iterator[tuple[Connection, str]]":
    from lastmile.cli.connection import opened
    from lastmile.embedded.database import running_url

    with opened(settings) as (connection, _):
        yield connection, running_url(settings)
