"""The store of backups. Every object's name carries the SHA-256 of its bytes, so anyone can verify it without a key.

backups/<id>/part-00001.<sha256>.gz.age     the database, as pg_basebackup or pg_dump wrote it
backups/<id>/complete.<sha256>.gz           written last: without it there is no such backup
log/<timeline>/<segment>.<sha256>.gz.age    the database's log; `<segment>.partial` is its end
objects/<ab>/<sha256 of the content>.<sha256>.gz.age
snapshots/<time>/keys.<sha256>.gz.age       which keys had which contents at that time
snapshots/<time>/contents.<sha256>.gz       written last: the contents it needs, for retention
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from lastmile.errors import UserError
from lastmile.operations.backup.encryption import COMPRESSED, Seal, compressed, seal
from lastmile.settings import Settings
from lastmile.settings.backup import BackupSettings
from lastmile.store import Missing, Store, open_at

#: Parts are held in memory, a few at a time.
PART_BYTES = 32 * 2**20
#: Is called with what is being done, how many bytes of it are done, and how many there are, if that is known.
Progress = Callable[[str, int, int | None], None]
_NAME = re.compile(r"(?P<name>.+)\.(?P<sha256>[0-9a-f]{64})(?P<suffix>(\.[a-z]+)+)")


def silent(what: str, done: int, total: int | None) -> None:
    """A `Progress` that shows nothing."""


@dataclass(frozen=True)
class Kept:
    """An object of the repository: its whole key, what it is, and its digest as stored."""

    key: str
    name: str
    sha256: str
    size: int
    modified_at: datetime


@dataclass(frozen=True)
class Repository:
    """Backups in one place. Every method raises UserError where the store is away."""

    store: Store
    seal: Seal

    def put(self, name: str, data: bytes) -> str:
        """Close and keep; the key."""
        return self._put(name, self.seal.close(data), self.seal.suffix)

    def put_public(self, name: str, data: bytes) -> str:
        """The same of what holds no data, so that it is readable without a key."""
        return self._put(name, compressed(data), COMPRESSED)

    def list(self, prefix: str) -> Iterator[Kept]:
        """What is below a prefix (whole path segments), sorted by name. What is no part of a backup is left out."""
        for found in self.store.list(prefix):
            if match := _NAME.fullmatch(found.key):
                yield Kept(found.key, match["name"], match["sha256"], found.size, found.modified_at)

    def stored(self, key: str) -> bytes:
        """The bytes as stored. Raises UserError naming what is damaged or lost."""
        match = _NAME.fullmatch(key)
        if match is None:
            raise UserError(f"{key} is no name of a part of a backup: expected a SHA-256 in it")
        try:
            data = self.store.read(key)
        except Missing:
            raise UserError(
                f"{key} is lost: {self.store.url} has no such object; restore from another backup"
            ) from None
        found = hashlib.sha256(data).hexdigest()
        if found != match["sha256"]:
            raise UserError(
                f"{key} is damaged: expected the SHA-256 in its name, found {found[:12]}... in {self.store.url};"
                " restore from another backup"
            )
        return data

    def read(self, key: str) -> bytes:
        """What was put. Raises UserError where it is damaged, lost, or cannot be decrypted."""
        return self.seal.open(key, self.stored(key))

    def delete(self, key: str) -> None:
        self.store.delete(key)

    def _put(self, name: str, data: bytes, suffix: str) -> str:
        key = f"{name}.{hashlib.sha256(data).hexdigest()}{suffix}"
        self.store.put(key, data)
        return key


def open_repository(settings: Settings, backup: BackupSettings) -> Repository:
    """Raises UserError where none is set, it lies in the store that it is to keep, or would not be encrypted."""
    if backup.url is None:
        raise UserError(
            "there is no place for backups: set LASTMILE_BACKUP_URL, such as s3://backups/lastmile, or file:///mnt/nas"
        )
    store = open_at(backup.url, "LASTMILE_BACKUP_URL")
    own = settings.store_url.rstrip("/")
    if f"{store.url}/".startswith(f"{own}/") or f"{own}/".startswith(f"{store.url}/"):
        raise UserError(
            f"LASTMILE_BACKUP_URL {store.url!r} and the store {own!r} are within each other: keep backups elsewhere,"
            " best where the loss of this machine does not reach them"
        )
    return Repository(store, seal(backup, is_remote=not store.url.startswith("file://")))
