"""One backup from start to end: the database, in full or what has changed, then the objects, then what is kept.

It counts once all of it is there. Killed at any point, nothing is listed, and the next one removes what was left.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from lastmile.operations.backup import base, logical
from lastmile.operations.backup.archiving import memory_of
from lastmile.operations.backup.catalogue import BACKUPS, Backup, Kind, backups, new_id, parent_for, publish
from lastmile.operations.backup.expiry import Expired, expire
from lastmile.operations.backup.history import Attempt, alone, objects_alone, recorded
from lastmile.operations.backup.repository import Progress, Repository, silent
from lastmile.operations.backup.snapshots import Copied
from lastmile.operations.backup.snapshots import take as take_snapshot
from lastmile.settings import Settings
from lastmile.settings.backup import BackupSettings
from lastmile.store import Store
from lastmile.telemetry.spans import span
from lastmile.warehouse.connections import connect
from lastmile.warehouse.migrate import revision_of

Wanted = Literal["auto", "full", "logical"]
#: Files of the home without which a restored one could not be opened: the database's password, the platform's secret.
HOME_FILES = ("postgres/password", "secret")


@dataclass(frozen=True)
class Made:
    """A backup, the objects that were copied for it (None: none had changed), and what went."""

    backup: Backup
    copied: Copied | None
    expired: Expired


def back_up(
    settings: Settings,
    backup: BackupSettings,
    repository: Repository,
    store: Store,
    url: str,
    kind: Wanted = "auto",
    progress: Progress = silent,
) -> Made:
    """Make a backup; `auto` makes an incremental one where it can. Raises UserError where it fails."""
    with connect(url) as connection, alone(connection):
        now, earlier = datetime.now(UTC), None
        if kind == "auto":
            earlier = parent_for(backups(repository), base.system_of(connection), now, backup.full_days)
        chosen: Kind = "incremental" if earlier else "logical" if kind == "logical" else "full"
        backup_id = new_id(chosen, now)
        with (
            recorded(connection, backup_id, chosen, earlier.id if earlier else None) as attempt,
            span("backup.base", kind=chosen) as done,
        ):
            found = _database(settings, repository, url, backup_id, chosen, earlier, now, progress)
            done(bytes=found.bytes, stored_bytes=found.stored_bytes)
            with objects_alone(connection):
                copied = take_snapshot(repository, store, memory_of(settings), progress)
            _note(attempt, found, copied)
            publish(repository, found)
        with objects_alone(connection):
            expired = expire(repository, backup, datetime.now(UTC))
    return Made(found, copied, expired)


def _database(
    settings: Settings,
    repository: Repository,
    url: str,
    backup_id: str,
    kind: Kind,
    earlier: Backup | None,
    started_at: datetime,
    progress: Progress,
) -> Backup:
    folder = f"{BACKUPS}/{backup_id}"
    if kind == "logical":
        parts, size = logical.export(repository, url, folder, progress)
        streamed, manifest = None, None
    else:
        streamed, earlier = _base(repository, url, folder, earlier, progress)
        parts, size = streamed.parts, streamed.size
        manifest = repository.put_public(f"{folder}/manifest", streamed.manifest)
    home = repository.put(f"{folder}/home", json.dumps(_home(settings)).encode())
    return Backup(
        id=backup_id,
        kind="full" if kind == "incremental" and earlier is None else kind,
        parent=earlier.id if earlier else None,
        started_at=started_at,
        ended_at=datetime.now(UTC),
        parts=parts,
        bytes=size,
        stored_bytes=sum(one.size for one in repository.list(f"{folder}/")),
        store_url=settings.store_url.rstrip("/"),
        revision=revision_of(url),
        is_encrypted=bool(repository.seal.recipients),
        home=home,
        manifest=manifest,
        **(
            {}
            if streamed is None
            else {name: getattr(streamed, name) for name in ("timeline", "start", "end", "system")}
        ),
    )


def _base(
    repository: Repository, url: str, folder: str, earlier: Backup | None, progress: Progress
) -> tuple[base.Streamed, Backup | None]:
    """What has changed since the earlier backup; everything where the server does not know what has."""
    if earlier is not None and earlier.manifest is not None:
        with suppress(base.NoSummaries):
            return base.take(repository, url, folder, repository.read(earlier.manifest), progress), earlier
    return base.take(repository, url, folder, None, progress), None


def _home(settings: Settings) -> dict[str, str]:
    files = {name: settings.home / name for name in HOME_FILES}
    return {name: file.read_text() for name, file in files.items() if file.exists()}


def _note(attempt: Attempt, found: Backup, copied: Copied | None) -> None:
    attempt.bytes, attempt.stored_bytes = found.bytes, found.stored_bytes
    if copied:
        attempt.objects, attempt.object_bytes = copied.uploaded, copied.uploaded_bytes
