"""A home made from backups: its cluster recovered to a time, its objects of that time, and all of it compared.

    made = restore(target, repository, backup, to=None, objects="then")

The new home is marked until it is whole, and `lastmile up` refuses it meanwhile: killed, the restore is run again.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from lastmile.embedded import postgres
from lastmile.embedded.home_lock import exclusive
from lastmile.embedded.privileges import identity_for
from lastmile.embedded.unfinished import begin_restore, end_restore, is_unfinished
from lastmile.errors import UserError
from lastmile.ingestion.submissions import relocation as submissions
from lastmile.ledger.relocation import relocate
from lastmile.operations.backup import logical, recovery, snapshots
from lastmile.operations.backup.agreement import Agreement, agreement
from lastmile.operations.backup.catalogue import Backup, backups, chain
from lastmile.operations.backup.repository import Progress, Repository, silent
from lastmile.settings import Settings
from lastmile.sources import fetches
from lastmile.store import Store, open_store
from lastmile.store.landing import LANDING, printable
from lastmile.warehouse.connections import connect
from lastmile.warehouse.migrate import migrate, newest_revision
from lastmile.warehouse.programs import program

#: Objects of the time of the database; those with all drops that came later; or the store as it is, which survived.
Objects = Literal["then", "newest", "keep"]
#: Replaying the log of a week takes hours at worst.
_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Restored:
    """What was restored, and how it stands. `recovered_to` is the time of the last transaction that it has."""

    home: str
    backup: str
    recovered_to: datetime | None
    ended_early: bool
    bytes: int
    segments: int
    objects: int
    object_bytes: int
    seconds: float
    agreement: Agreement


def target_settings(settings: Settings, into: Path, store_url: str | None) -> Settings:
    """The settings of the restored home: its own database, and its own objects unless a store is named."""
    home = into.expanduser().resolve()
    return replace(settings, home=home, given_database_url=None, store_url=store_url or (home / "store").as_uri())


def restore(
    target: Settings,
    repository: Repository,
    backup: Backup,
    to: datetime | None,
    objects: Objects = "then",
    progress: Progress = silent,
) -> Restored:
    """Recover the cluster from the backup and the log after it, and the objects; compare them.

    Raises UserError where the home is in use, the backup is of newer code, or something is damaged or lost.
    """
    began = time.monotonic()
    _expect_known(backup)
    store = open_store(target)
    with _new_home(target, store, objects):
        wanted = chain(backups(repository), backup)
        segments, ended_early, recovered_to = _recover(target, repository, wanted, to, progress)
        with postgres.started(target.postgres_folder) as url:
            migrate(url)
            entries = [] if objects == "keep" else _entries(repository, to, objects)
            put = _put_objects(url, repository, store, backup.store_url, entries, progress)
            with connect(url) as connection:
                compared = agreement(connection, store)
        made = Restored(
            str(target.home), backup.id, recovered_to, ended_early, sum(one.bytes for one in wanted), segments,
            put, sum(one.size for one in entries), time.monotonic() - began, compared,
        )  # fmt: skip
        _note(target, made)
    return made


def restore_export(
    target: Settings, repository: Repository, backup: Backup, objects: Objects = "then", progress: Progress = silent
) -> Restored:
    """A logical export into a new home with a cluster of its own. Raises UserError as `restore` does."""
    _expect_known(backup)
    with _new_home(target, open_store(target), objects):
        secret = {name: text for name, text in recovery.home_files(repository, backup).items() if name == "secret"}
        _write_home(target, secret)  # not the password, which is of the other cluster
        with postgres.started(target.postgres_folder) as url:
            made = _loaded(target, url, repository, backup, objects, progress)
        _note(target, made)
    return made


@contextmanager
def _new_home(target: Settings, store: Store, objects: Objects) -> Iterator[None]:
    """A home of its own, marked until the block is over. Raises UserError where something is there already."""
    with exclusive(target):
        if not is_unfinished(target.home):
            _expect_empty(store, objects)
        begin_restore(target.home)
        yield
        end_restore(target.home)


def _note(target: Settings, made: Restored) -> None:
    (target.home / "restore.json").write_text(json.dumps(asdict(made), default=str, indent=1))


def load_export(
    target: Settings, url: str, repository: Repository, backup: Backup, objects: Objects, progress: Progress
) -> Restored:
    """A logical export into an empty database at `url`, and the objects of its time."""
    _expect_known(backup)
    _expect_empty(open_store(target), objects)
    return _loaded(target, url, repository, backup, objects, progress)


def _loaded(
    target: Settings, url: str, repository: Repository, backup: Backup, objects: Objects, progress: Progress
) -> Restored:
    began, store = time.monotonic(), open_store(target)
    logical.load(repository, backup.parts, url, backup.bytes, progress)
    migrate(url)
    entries = [] if objects == "keep" else _entries(repository, backup.ended_at, objects)
    put = _put_objects(url, repository, store, backup.store_url, entries, progress)
    with connect(url) as connection:
        compared = agreement(connection, store)
    return Restored(
        str(target.home), backup.id, backup.started_at, False, backup.bytes, 0, put,
        sum(one.size for one in entries), time.monotonic() - began, compared,
    )  # fmt: skip


def _recover(
    target: Settings, repository: Repository, wanted: Sequence[Backup], to: datetime | None, progress: Progress
) -> tuple[int, bool, datetime | None]:
    """Segments replayed, whether the log ended before `to`, and the time of the last transaction."""
    folder = target.postgres_folder
    folder.mkdir(parents=True, exist_ok=True)
    recovery.lay_out(repository, wanted, folder, progress)
    _write_home(target, recovery.home_files(repository, wanted[-1]))
    log = folder / "log"
    recovery.follow_log(folder / "data", log, to)
    with recovery.fetched(repository, wanted[-1], log, progress) as state:
        _own(folder)
        ended_early = False
        try:
            url = postgres.start(folder, _SECONDS)
        except UserError as error:
            if state.error is not None:
                raise state.error from error
            if to is None or recovery.ENDED_EARLY not in str(error):
                raise
            ended_early = True
            recovery.forget_log(folder / "data")
            recovery.follow_log(folder / "data", log, None)
            _own(folder)
            url = postgres.start(folder, _SECONDS)
        if state.error is not None:
            postgres.stop(folder)
            raise state.error
    with connect(url) as connection:
        ((last,),) = connection.execute("SELECT pg_last_xact_replay_timestamp()").fetchall()
    postgres.stop(folder)
    recovery.forget_log(folder / "data")
    return state.segments, ended_early, (last or wanted[-1].ended_at).astimezone(UTC)


def _entries(repository: Repository, moment: datetime | None, objects: Objects) -> list[snapshots.Entry]:
    found = snapshots.entries_at(repository, moment)
    if objects == "newest":
        newest = snapshots.entries_at(repository, None)
        found |= {key: one for key, one in newest.items() if key.startswith(LANDING)}
    return list(found.values())


def _put_objects(
    url: str, repository: Repository, store: Store, before: str, entries: Sequence[snapshots.Entry], progress: Progress
) -> int:
    """Put objects back, and let the database know by which names it finds them."""
    moved = [
        (printable(entry.key), entry.version, version)
        for entry, version in snapshots.restore(repository, store, entries, progress)
    ]
    with connect(url) as connection:
        relocate(connection, before, store.url, moved)
        submissions.relocate(connection, before, store.url, moved)
        fetches.relocate(connection, before, store.url)
    return len(moved)


def _write_home(target: Settings, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = target.home / name
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(text)


def _own(folder: Path) -> None:
    """Give the files to the user that the server runs as."""
    identity = identity_for(folder, program("postgres"))
    if identity.uid is None or identity.gid is None:
        return
    for place, _, files in os.walk(folder):
        for name in (Path(place), *(Path(place, file) for file in files)):
            with suppress(FileNotFoundError):  # the log comes meanwhile, and its files get their names last
                os.chown(name, identity.uid, identity.gid, follow_symlinks=False)


def _expect_known(backup: Backup) -> None:
    if backup.revision > (known := newest_revision()):
        raise UserError(
            f"backup {backup.id} is of newer code (migration {backup.revision}, this code knows {known}): restore it"
            " with the version of Lastmile that made it, or a newer one"
        )


def _expect_empty(store: Store, objects: Objects) -> None:
    if objects == "keep":
        return
    if (there := next(iter(store.list("")), None)) is not None:
        raise UserError(
            f"{store.url} has objects already, such as {there.key}: restore into a new home, or say --objects keep if"
            " the store has survived and only the database is to be restored"
        )
