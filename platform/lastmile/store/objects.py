"""The few things done with objects. Each happens whole or not at all, and reads are of the version asked for."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, InvalidPathError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from lastmile.store import download, pinned_file, s3
from lastmile.store.errors import Changed, Missing, told
from lastmile.store.invalid_names import list_folder_around
from lastmile.store.pinned_file import PinnedFile
from lastmile.store.stored_object import StoredObject, version_of

__all__ = ["Changed", "Missing", "PinnedFile", "Store", "StoredObject"]

_PAGE = 1_000
#: Bytes read at once of a file.
_BLOCK = 2**20
#: How long a file in a folder must have been left alone before it is taken as whole.
_FOLDER_SETTLE = timedelta(seconds=3)


@dataclass(frozen=True)
class Store:
    """Objects under one URL. Every method raises UserError where the store cannot be reached or refuses us."""

    url: str
    backend: ObjectStore

    @cached_property
    def keeps_versions(self) -> bool:
        """Whether objects are known by version ids, as in an S3 bucket with versioning."""
        return isinstance(self.backend, S3Store) and s3.keeps_versions(self.backend)

    @property
    def settle(self) -> timedelta:
        """How long an object just found may still be growing: files do so before our eyes, others come whole."""
        return _FOLDER_SETTLE if isinstance(self.backend, LocalStore) else timedelta(0)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Objects below `prefix` (whole path segments), sorted by key.

        Buckets come page by page. A folder comes whole, since it knows no order. Listed are also objects that cannot be
        read, because no client can hold their names (`landing.name_problem`), so that somebody is told of them. The
        markers that consoles put where they show folders are passed over.
        """
        with told(self.url, f"list {prefix}"):
            if isinstance(self.backend, LocalStore):
                yield from sorted(self._list_folder(self.backend, prefix), key=lambda listed: listed.key)
            elif isinstance(self.backend, S3Store) and self.keeps_versions:
                yield from s3.list_versions(self.backend, prefix)
            else:
                yield from self._list_bucket(prefix)

    def head(self, key: str) -> StoredObject:
        """What is there now under a key. Raises Missing."""
        with told(self.url, f"look at {key}"):
            return self._stored(obstore.head(self.backend, key))

    def fetch(self, wanted: StoredObject, to: Path) -> str:
        """Copy the object's bytes into a file, at constant memory; returns their SHA-256 in hex.

        Raises Missing, or Changed where the object is not, or did not stay, the version wanted.
        """
        with to.open("wb") as file, told(self.url, f"read {wanted.key}"):
            sha256, size = download.write(self._chunks(wanted), file)
        if size != wanted.size:
            raise Changed(f"{wanted.key}: expected {wanted.size} bytes, found {size}")
        return sha256

    def pin(self, wanted: StoredObject, to: Path) -> PinnedFile:
        """As `fetch`; but where the object is a file that can have `to` as a second name, nothing is copied.

        Then somebody may still write into it: whoever has read it asks whether it is unchanged.
        """
        if not isinstance(self.backend, LocalStore) or not (
            state := pinned_file.link(_file(self.backend, wanted.key), to)
        ):
            return PinnedFile(to, self.fetch(wanted, to))
        sha256 = pinned_file.hash_of(to)
        with told(self.url, f"read {wanted.key}"):
            self._check(wanted, obstore.head(self.backend, wanted.key))
            is_same = to.samefile(_file(self.backend, wanted.key))
        if not is_same:
            raise Changed(f"{wanted.key}: it was replaced while it was read")
        return PinnedFile(to, sha256, state)

    def read(self, key: str) -> bytes:
        """All bytes of an object. Raises Missing."""
        with told(self.url, f"read {key}"):
            return bytes(obstore.get(self.backend, key).bytes())

    def put(self, key: str, source: bytes | Path, create_only: bool = False) -> None:
        """Write an object; readers see it whole or not at all.

        With `create_only`, raises FileExistsError where there is one already; of many writers at once one succeeds.
        Such a write is one request: the source is held in memory, and S3 takes at most 5 GB.
        """
        if isinstance(source, Path):
            source.stat()  # its own error where it is not there, not the store's
        with told(self.url, f"write {key}"):
            try:
                obstore.put(self.backend, key, source, mode="create" if create_only else "overwrite", max_concurrency=4)
            except (AlreadyExistsError, FileExistsError):
                raise FileExistsError(f"{self.url}/{key} exists already") from None

    def publish(self, key: str, file: Path) -> None:
        """Put a file that nobody else needs: it may become the object itself, and be gone from where it was."""
        if isinstance(self.backend, LocalStore):
            target = _file(self.backend, key)
            with suppress(OSError):  # another file system, most of all; what else is wrong is told by the put
                target.parent.mkdir(parents=True, exist_ok=True)
                file.rename(target)
                return
        self.put(key, file)

    def delete(self, key: str) -> None:
        """Remove an object; a no-op where there is none."""
        with told(self.url, f"delete {key}"):
            try:
                obstore.delete(self.backend, key)
            except (NotFoundError, FileNotFoundError):
                return

    def exists(self, key: str) -> bool:
        try:
            self.head(key)
        except Missing:
            return False
        return True

    def _chunks(self, wanted: StoredObject) -> Iterator[Any]:
        """The bytes of the version wanted. Raises Changed."""
        if isinstance(self.backend, LocalStore):
            self._check(wanted, obstore.head(self.backend, wanted.key))
            with _file(self.backend, wanted.key).open("rb") as file:
                yield from iter(lambda: file.read(_BLOCK), b"")
            # a file can also change while it is open
            self._check(wanted, obstore.head(self.backend, wanted.key))
        elif wanted.size <= download.RANGE:
            found = obstore.get(self.backend, wanted.key)
            self._check(wanted, found.meta)
            yield found.bytes()
        else:
            meta = obstore.head(self.backend, wanted.key)
            self._check(wanted, meta)
            yield from download.ranges(self.backend, wanted.key, wanted.size, meta["e_tag"])

    def _list_bucket(self, prefix: str) -> Iterator[StoredObject]:
        last = ""
        try:
            for page in obstore.list(self.backend, prefix.rstrip("/"), chunk_size=_PAGE):
                for found in map(self._stored, page):
                    last = found.key
                    # Without its final slash, a marker `2020/` looks like an empty object `2020`.
                    if found.size or self.exists(found.key):
                        yield found
        except InvalidPathError:
            if not isinstance(self.backend, S3Store):
                raise
            yield from s3.list_objects(self.backend, prefix, after=last)

    def _list_folder(self, backend: LocalStore, prefix: str) -> Iterator[StoredObject]:
        try:
            found = list(chain.from_iterable(obstore.list(backend, prefix.rstrip("/"), chunk_size=_PAGE)))
        except InvalidPathError:
            return list_folder_around(backend, prefix)
        return map(self._stored, found)

    def _check(self, wanted: StoredObject, meta: Any) -> None:
        found = self._stored(meta).version
        if found != wanted.version:
            raise Changed(f"{wanted.key}: expected version {wanted.version}, found {found}")

    def _stored(self, meta: Any) -> StoredObject:
        version_id = meta["version"] if self.keeps_versions else None
        version = version_of(version_id, meta["e_tag"], meta["last_modified"], meta["size"])
        return StoredObject(meta["path"], meta["size"], version, meta["last_modified"])


def _file(folder: LocalStore, key: str) -> Path:
    return Path(str(folder.prefix)) / key
