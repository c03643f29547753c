"""`lastmile restore`: a home from backups, as it was at a time."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.filesize import decimal

from lastmile.cli.progress.transfer import transfer
from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.backup import BackupSettings
from lastmile.settings.group import load

if TYPE_CHECKING:
    from lastmile.embedded.restore import Objects, Restored
    from lastmile.operations.backup.catalogue import Backup
    from lastmile.operations.backup.repository import Progress, Repository

_MOST_SHOWN = 10


def restore(
    to: Annotated[
        str | None, typer.Option(help="The time to restore to, such as 2024-05-01T12:00:00; UTC unless it has a zone.")
    ] = None,
    latest: Annotated[bool, typer.Option("--latest", help="As far as the archived log goes.")] = False,
    backup: Annotated[
        str | None, typer.Option("--from", help="Begin with this backup; see `lastmile backup list`.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="The new home (default: next to this home, named by the time).")
    ] = None,
    objects: Annotated[
        str,
        typer.Option(
            help="then: those of that time. newest: also drops that came later, to be ingested again."
            " keep: the store has survived, leave it as it is."
        ),
    ] = "then",
) -> None:
    """Restore database and objects into a new home, and compare ledger, tables, objects and models.

    The home that is in use is left alone. Drops that are newer in the store than in the database are ingested again
    by the next `lastmile up`. Encrypted backups need LASTMILE_BACKUP_IDENTITY.

    Example: lastmile restore --to 2024-05-01T12:00:00 --into /srv/lastmile-restored
    """
    from lastmile.operations.backup.repository import open_repository

    if sum((to is not None, latest, backup is not None and to is None and not latest)) != 1:
        raise UserError("say to when: --to TIME, --latest, or --from BACKUP alone for that backup and the log after it")
    settings, console = Settings.from_environment(), Console()
    repository = open_repository(settings, load(BackupSettings))
    wanted = moment(to)
    chosen = _chosen(repository, backup, wanted)
    mode = _mode(objects)
    with transfer(console) as progress:
        made = _restored(settings, repository, chosen, wanted, into, mode, progress)
    report(console, made)
    if made.home != str(settings.home):
        console.print(f"look at it with  LASTMILE_HOME={made.home} lastmile status", highlight=False, soft_wrap=True)
    if made.agreement.faults:
        raise typer.Exit(1)


def _restored(
    settings: Settings,
    repository: "Repository",
    chosen: "Backup",
    wanted: datetime | None,
    into: Path | None,
    mode: "Objects",
    progress: "Progress",
) -> "Restored":
    """Into a new home; an export without `--into` into the database that LASTMILE_DATABASE_URL names, if it does."""
    from lastmile.embedded.restore import load_export, restore_export, target_settings
    from lastmile.embedded.restore import restore as restore_home

    is_export = chosen.kind == "logical"
    if is_export and into is None and settings.given_database_url:
        return load_export(settings, settings.given_database_url, repository, chosen, mode, progress)
    home = into or settings.home.with_name(f"{settings.home.name}-restored-{datetime.now(UTC):%Y%m%dT%H%M%S}")
    target = target_settings(settings, home, load(Settings).store_url or None)
    if is_export:
        return restore_export(target, repository, chosen, mode, progress)
    return restore_home(target, repository, chosen, wanted, mode, progress)


def report(console: Console, made: "Restored") -> None:
    """What was restored, and whether all of it agrees."""
    found = made.agreement
    until = f"{made.recovered_to:%Y-%m-%d %H:%M:%S.%f}Z" if made.recovered_to else "an unknown time"

    def say(text: str, style: str | None = None) -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    say(f"restored from {made.backup} into {made.home} in {made.seconds:.1f} s: {decimal(made.bytes)} and"
        f" {made.segments:,} segments of the log; its last transaction is of {until}")  # fmt: skip
    if made.ended_early:
        say("the archived log ends before the wanted time: this is the newest there is", "yellow")
    say(f"objects: {made.objects:,} put back, {decimal(made.object_bytes)}")
    say(f"compared: {found.datasets} datasets, {found.drops:,} drops, {found.rows:,} rows, {found.objects:,} objects,"
        f" {found.models} versions of models")  # fmt: skip
    for fault in found.faults:
        say(fault, "red")
    _list(say, found.missing, "the database names and the store has not", "red")
    _list(
        say, found.newer, "in the store that the database does not know: they are ingested by the next `up`", "yellow"
    )
    if not found.faults and not found.missing:
        say("ledger, tables, objects and models agree", "green")


def _list(say: Callable[[str, str], None], keys: Sequence[str], what: str, style: str) -> None:
    if keys:
        more = ", ..." if len(keys) > _MOST_SHOWN else ""
        say(f"{len(keys):,} objects {what}: {', '.join(keys[:_MOST_SHOWN])}{more}", style)


def moment(text: str | None) -> datetime | None:
    """The time as a person writes it, UTC unless it has a zone. Raises UserError for one that is none, or to come."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is no time: expected such as 2024-05-01T12:00:00, or with a zone: +02:00") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if found > datetime.now(UTC):
        raise UserError(f"{text!r} is still to come: it is {datetime.now(UTC):%Y-%m-%dT%H:%M:%S} (UTC)")
    return found


def _mode(text: str) -> "Objects":
    match text:
        case "then" | "newest" | "keep":
            return text
    raise UserError(f"--objects {text!r}: expected then, newest or keep")


def _chosen(repository: "Repository", backup: str | None, wanted: datetime | None) -> "Backup":
    from lastmile.operations.backup.catalogue import backups, find, newest_before

    known = backups(repository)
    return find(known, backup) if backup else newest_before(known, wanted)
