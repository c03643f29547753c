"""Operations on objects. Each is atomic, and reads are of the requested version."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, InvalidPathError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from lastmile.store import s3, transfer
from lastmile.store.arriving import ArrivingFile, Pinned
from lastmile.store.folder import Unlisted, list_folder, version
from lastmile.store.held import HeldFile
from lastmile.store.stored_object import Changed, Denied, Missing, StoredObject, translated_errors, version_of
from lastmile.store.transfer import PinnedFile

_PAGE = 1_000
_BLOCK_BYTES = 2**20
#: A file in a folder counts as complete once it has been idle for this long.
_FOLDER_QUIET_PERIOD = timedelta(seconds=3)


@dataclass(frozen=True)
class Store:
    """Objects under one URL. Every method raises UserError where the store is unreachable or denies access."""

    url: str
    backend: ObjectStore

    @cached_property
    def keeps_versions(self) -> bool:
        """Whether objects have version ids, as in an S3 bucket with versioning."""
        return isinstance(self.backend, S3Store) and s3.keeps_versions(self.backend)

    @property
    def quiet_period(self) -> timedelta:
        """How long a new object may still be growing: files grow while we look, objects of a bucket appear complete."""
        return _FOLDER_QUIET_PERIOD if isinstance(self.backend, LocalStore) else timedelta(0)

    def list(self, prefix: str, unlisted: Unlisted = lambda key, why: None) -> Iterator[StoredObject]:
        """Objects below `prefix` (whole path segments), sorted by key.

        Buckets are listed page by page; a folder as a whole, since it has no order. Objects that cannot be read because
        of their names (`landing.name_problem`) are included, so that they get reported. The folder markers that
        consoles create are skipped. `unlisted` is called with what is there and cannot be listed, and why.
        """
        with translated_errors(self.url, f"list {prefix}"):
            if isinstance(self.backend, LocalStore):
                found = list_folder(Path(str(self.backend.prefix)), prefix.rstrip("/"), unlisted)
                yield from sorted(found, key=lambda listed: listed.key)
            elif isinstance(self.backend, S3Store) and self.keeps_versions:
                yield from s3.list_versions(self.backend, prefix)
            else:
                yield from self._list_bucket(prefix)

    def head(self, key: str) -> StoredObject:
        """The object now stored under a key. Raises Missing."""
        with translated_errors(self.url, f"inspect {key}"):
            return self._stored(obstore.head(self.backend, key))

    def fetch(self, wanted: StoredObject, to: Path) -> str:
        """Copy the object's bytes into a file, at constant memory; returns their SHA-256 in hex.

        Raises Missing, Changed where the object is not, or did not remain, the requested version, or Denied where a
        folder has it and we may not read it.
        """
        self._expect_readable(wanted)
        with to.open("wb") as file:
            sha256, size = transfer.write(self._requested(wanted), file)
        if size != wanted.size:
            raise Changed(f"{wanted.key}: expected {wanted.size} bytes, found {size}")
        return sha256

    def hold(self, wanted: StoredObject, file: Path) -> HeldFile:
        """As `fetch`, of a small object into memory; `file` is written only where one is needed."""
        self._expect_readable(wanted)
        with translated_errors(self.url, f"read {wanted.key}"):
            if isinstance(self.backend, LocalStore):
                data = _read_at_once(_file(self.backend, wanted.key), wanted)
            else:
                data = b"".join(map(bytes, self._chunks(wanted)))
        if len(data) != wanted.size:
            raise Changed(f"{wanted.key}: expected {wanted.size} bytes, found {len(data)}")
        return HeldFile(data, hashlib.sha256(data).hexdigest(), file)

    def pin(self, wanted: StoredObject, to: Path) -> PinnedFile:
        """As `fetch`, but a file in a folder is hard-linked where possible, not copied.

        It may then still be written to: call `expect_unchanged` after reading it.
        """
        self._expect_readable(wanted)
        if not isinstance(self.backend, LocalStore) or not (
            state := transfer.link(_file(self.backend, wanted.key), to)
        ):
            return PinnedFile(to, self.fetch(wanted, to))
        sha256 = transfer.hash_of(to)
        with translated_errors(self.url, f"read {wanted.key}"):
            self._expect_version(wanted, obstore.head(self.backend, wanted.key))
            is_same = to.samefile(_file(self.backend, wanted.key))
        if not is_same:
            raise Changed(f"{wanted.key}: it was replaced while being read")
        return PinnedFile(to, sha256, state)

    @contextmanager
    def pinned(self, wanted: StoredObject, to: Path) -> Iterator[Pinned]:
        """As `pin`, but a large object of a bucket may be read while it arrives."""
        if isinstance(self.backend, LocalStore) or wanted.size <= transfer.RANGE_BYTES:
            yield self.pin(wanted, to)
            return
        with ArrivingFile(wanted, to, self._requested(wanted)) as arriving:
            yield arriving

    def read(self, key: str) -> bytes:
        """All bytes of an object. Raises Missing."""
        with translated_errors(self.url, f"read {key}"):
            return bytes(obstore.get(self.backend, key).bytes())

    def put(self, key: str, source: bytes | Path, create_only: bool = False) -> None:
        """Write an object atomically.

        With `create_only`, raises FileExistsError where it exists already; of concurrent writers one succeeds. Such a
        write is one request: the source is held in memory, and S3 accepts at most 5 GB.
        """
        if isinstance(source, Path):
            source.stat()  # a missing source raises its own error, not the store's
        with translated_errors(self.url, f"write {key}"):
            try:
                obstore.put(self.backend, key, source, mode="create" if create_only else "overwrite", max_concurrency=4)
            except (AlreadyExistsError, FileExistsError):
                raise FileExistsError(f"{self.url}/{key} exists already") from None

    def publish(self, key: str, file: Path) -> None:
        """Put a local file that is not needed afterwards: it may be moved rather than copied."""
        if isinstance(self.backend, LocalStore):
            target = _file(self.backend, key)
            with suppress(OSError):  # another file system, for example; the put reports anything else
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)
                return
        self.put(key, file)

    def move(self, key: str, to: str) -> None:
        """Give an object another key. Raises Missing; killed in between, a bucket may have it under both."""
        with translated_errors(self.url, f"move {key}"):
            if isinstance(self.backend, LocalStore):
                obstore.rename(self.backend, key, to)
                return
            obstore.copy(self.backend, key, to)
            obstore.delete(self.backend, key)

    def delete(self, key: str) -> None:
        """Remove an object; a no-op where there is none."""
        with translated_errors(self.url, f"delete {key}"):
            try:
                obstore.delete(self.backend, key)
            except (NotFoundError, FileNotFoundError):
                return

    def dated(self, key: str, modified_at: datetime) -> StoredObject:
        """The object now stored under a key, a file with the time of its last change."""
        if isinstance(self.backend, LocalStore):
            moment = round(modified_at.timestamp() * 1_000_000) * 1_000
            os.utime(_file(self.backend, key), ns=(moment, moment))
        return self.head(key)

    def exists(self, key: str) -> bool:
        try:
            self.head(key)
        except Missing:
            return False
        return True

    def _expect_readable(self, wanted: StoredObject) -> None:
        """Raises Denied where only this file of a folder is out of reach; a link may have come in its place."""
        if not isinstance(self.backend, LocalStore):
            return
        file = _file(self.backend, wanted.key)
        try:
            if not transfer.is_inside(Path(str(self.backend.prefix)), file):
                raise Denied(f"cannot read {wanted.key}: a symbolic link out of the store has come in its place")
            os.close(os.open(file, os.O_RDONLY | os.O_NONBLOCK))
        except PermissionError as error:
            raise Denied(
                f"cannot read {wanted.key}: {error.strerror}; give the platform's user the right to read it, then"
                " ingest the drop again"
            ) from error
        except OSError:  # the read that follows reports it
            return

    def _requested(self, wanted: StoredObject) -> Iterator[Any]:
        with translated_errors(self.url, f"read {wanted.key}"):
            yield from self._chunks(wanted)

    def _chunks(self, wanted: StoredObject) -> Iterator[Any]:
        """The bytes of the requested version. Raises Changed."""
        if isinstance(self.backend, LocalStore):
            self._expect_version(wanted, obstore.head(self.backend, wanted.key))
            with _file(self.backend, wanted.key).open("rb") as file:
                yield from iter(lambda: file.read(_BLOCK_BYTES), b"")
            # a file may also change while it is open
            self._expect_version(wanted, obstore.head(self.backend, wanted.key))
        elif wanted.size <= transfer.RANGE_BYTES:
            found = obstore.get(self.backend, wanted.key)
            self._expect_version(wanted, found.meta)
            yield found.bytes()
        else:
            meta = obstore.head(self.backend, wanted.key)
            self._expect_version(wanted, meta)
            yield from transfer.ranges(self.backend, wanted.key, wanted.size, meta["e_tag"])

    def _list_bucket(self, prefix: str) -> Iterator[StoredObject]:
        last = ""
        try:
            for page in obstore.list(self.backend, prefix.rstrip("/"), chunk_size=_PAGE):
                for found in map(self._stored, page):
                    last = found.key
                    # Listed without its final slash, a marker `2020/` looks like an empty object `2020`.
                    if found.size or self.exists(found.key):
                        yield found
        except InvalidPathError:
            if not isinstance(self.backend, S3Store):
                raise
            yield from s3.list_objects(self.backend, prefix, after=last)

    def _expect_version(self, wanted: StoredObject, meta: Any) -> None:
        found = self._stored(meta).version
        if found != wanted.version:
            raise Changed(f"{wanted.key}: expected version {wanted.version}, found {found}")

    def _stored(self, meta: Any) -> StoredObject:
        version_id = meta["version"] if self.keeps_versions else None
        version = version_of(version_id, meta["e_tag"], meta["last_modified"], meta["size"])
        return StoredObject(meta["path"], meta["size"], version, meta["last_modified"])


def _read_at_once(file: Path, wanted: StoredObject) -> bytes:
    """A file's bytes. Raises Changed where it is not of the wanted version before and after they are read."""
    with file.open("rb") as opened:
        found = [version(os.fstat(opened.fileno()))]
        data = opened.read()
    found.append(version(file.stat()))
    if other := next((one for one in found if one != wanted.version), None):
        raise Changed(f"{wanted.key}: expected version {wanted.version}, found {other}")
    return data


def _file(folder: LocalStore, key: str) -> Path:
    return Path(str(folder.prefix)) / key
