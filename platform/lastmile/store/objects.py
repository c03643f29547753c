"""The few things done with objects. Each happens whole or not at all, and reads are of the version asked for."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, InvalidPathError, NotFoundError
from obstore.store import LocalStore, ObjectStore, S3Store

from lastmile.store.failures import Changed, Missing, told
from lastmile.store.odd_names import list_folder_around, list_s3_around

__all__ = ["Changed", "Missing", "Store", "StoredObject"]

_PAGE = 1_000
#: Bytes asked for at once, and bytes held at once. A request that is too long for the client's timeout cannot be had.
_RANGE = 64 * 1024 * 1024
_CHUNK = 4 * 1024 * 1024


@dataclass(frozen=True)
class StoredObject:
    """An object as listed. `version` changes whenever its bytes do: its ETag, or its time and size where it has none.

    Version ids are not used, not even where a bucket keeps them: listings do not state them.
    """

    key: str
    size: int
    version: str
    modified_at: datetime


@dataclass(frozen=True)
class Store:
    """Objects under one URL. Every method raises UserError where the store cannot be reached or refuses us."""

    url: str
    backend: ObjectStore

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Objects below `prefix` (whole path segments), sorted by key.

        Buckets come page by page. A folder comes whole, since it knows no order. Names that no object can have, and
        the markers that consoles put where they show folders, are passed over.
        """
        with told(self.url, f"list {prefix}"):
            if isinstance(self.backend, LocalStore):
                yield from sorted(self._list_folder(self.backend, prefix), key=lambda listed: listed.key)
            else:
                yield from self._list_bucket(prefix)

    def fetch(self, wanted: StoredObject, to: Path) -> str:
        """Copy the object's bytes into a file, at constant memory; returns their SHA-256 in hex.

        Raises Missing, or Changed where the object is not, or did not stay, the version wanted.
        """
        digest = hashlib.sha256()
        with to.open("wb") as file, told(self.url, f"read {wanted.key}"):
            tag = self._tag(wanted)
            for start in range(0, wanted.size, _RANGE):
                span = (start, min(start + _RANGE, wanted.size))
                found = obstore.get(self.backend, wanted.key, options={"range": span, "if_match": tag})
                for chunk in found.stream(min_chunk_size=_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
            if isinstance(self.backend, LocalStore):  # a file can also change while it is open
                self._tag(wanted)
        return digest.hexdigest()

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

    def delete(self, key: str) -> None:
        """Remove an object; a no-op where there is none."""
        with told(self.url, f"delete {key}"):
            try:
                obstore.delete(self.backend, key)
            except (NotFoundError, FileNotFoundError):
                return

    def exists(self, key: str) -> bool:
        try:
            with told(self.url, f"look at {key}"):
                obstore.head(self.backend, key)
                return True
        except Missing:
            return False

    def _list_bucket(self, prefix: str) -> Iterator[StoredObject]:
        last = ""
        try:
            for page in obstore.list(self.backend, prefix.rstrip("/"), chunk_size=_PAGE):
                for found in map(_stored, page):
                    last = found.key
                    # Without its final slash, a marker `2020/` looks like an empty object `2020`.
                    if found.size or self.exists(found.key):
                        yield found
        except InvalidPathError:
            if not isinstance(self.backend, S3Store):
                raise
            yield from (StoredObject(*found) for found in list_s3_around(self.backend, prefix, after=last))

    def _list_folder(self, backend: LocalStore, prefix: str) -> Iterator[StoredObject]:
        try:
            found = list(chain.from_iterable(obstore.list(backend, prefix.rstrip("/"), chunk_size=_PAGE)))
        except InvalidPathError:
            found = list(list_folder_around(backend, prefix))
        return map(_stored, found)

    def _tag(self, wanted: StoredObject) -> str | None:
        """The ETag as the store writes it. Raises Changed where the object is no longer the version wanted."""
        meta = obstore.head(self.backend, wanted.key)
        found = _stored(meta).version
        if found != wanted.version:
            raise Changed(f"{wanted.key}: expected version {wanted.version}, found {found}")
        return meta["e_tag"]


def _stored(meta: Any) -> StoredObject:
    version = (meta["e_tag"] or f"{meta['last_modified'].timestamp()}-{meta['size']}").strip('"')
    return StoredObject(meta["path"], meta["size"], version, meta["last_modified"])
