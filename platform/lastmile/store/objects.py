"""The few things done with objects. Each either happens whole or not at all, and reads are of the version asked for."""

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotFoundError,
    PreconditionError,
)
from obstore.store import LocalStore, ObjectStore

from lastmile.errors import UserError

logger = logging.getLogger(__name__)

_CHUNK = 8 * 1024 * 1024
_PAGE = 1_000
#: How obstore names a file that it is still writing into a folder.
_UNFINISHED = re.compile(r"#\d+$")


class Missing(Exception):
    """The object is not there (any more)."""


class Changed(Exception):
    """The object's bytes are no longer those of the version asked for."""


@dataclass(frozen=True)
class StoredObject:
    """An object as listed. `version` changes whenever its bytes do: the store's version id, else its ETag."""

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
        """Objects whose key begins with `prefix` (whole path segments), in pages; a folder's are sorted by key."""
        with self._errors(f"list {prefix}"):
            if isinstance(self.backend, LocalStore):
                yield from sorted(self._list_folder(prefix), key=lambda listed: listed.key)
            else:
                for page in obstore.list(self.backend, prefix.rstrip("/"), chunk_size=_PAGE):
                    yield from map(_stored, page)

    def fetch(self, wanted: StoredObject, to: Path) -> str:
        """Copy the object's bytes into a file, at constant memory; returns their SHA-256 in hex.

        Raises Missing, or Changed where the object is not, or did not stay, the version wanted.
        """
        digest = hashlib.sha256()
        with self._errors(f"read {wanted.key}"):
            found = obstore.get(self.backend, wanted.key)
            _expect(wanted, _stored(found.meta))
            with to.open("wb") as file:
                for chunk in found.stream(min_chunk_size=_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
            if isinstance(self.backend, LocalStore):
                _expect(wanted, _stored(obstore.head(self.backend, wanted.key)))
        if to.stat().st_size != wanted.size:
            raise Changed(f"{wanted.key}: expected {wanted.size} bytes, read {to.stat().st_size}")
        return digest.hexdigest()

    def read(self, key: str) -> bytes:
        """All bytes of an object. Raises Missing."""
        with self._errors(f"read {key}"):
            return bytes(obstore.get(self.backend, key).bytes())

    def put(self, key: str, source: bytes | Path, create_only: bool = False) -> None:
        """Write an object; readers see it whole or not at all. Raises FileExistsError with `create_only`."""
        with self._errors(f"write {key}"):
            try:
                obstore.put(self.backend, key, source, mode="create" if create_only else "overwrite")
            except (AlreadyExistsError, FileExistsError):
                raise FileExistsError(f"{self.url}/{key} exists already") from None

    def delete(self, key: str) -> None:
        """Remove an object; a no-op where there is none."""
        with self._errors(f"delete {key}"):
            try:
                obstore.delete(self.backend, key)
            except (NotFoundError, FileNotFoundError):
                return

    def exists(self, key: str) -> bool:
        try:
            with self._errors(f"look at {key}"):
                obstore.head(self.backend, key)
                return True
        except Missing:
            return False

    def _list_folder(self, prefix: str) -> Iterator[StoredObject]:
        try:
            pages = list(obstore.list(self.backend, prefix.rstrip("/"), chunk_size=_PAGE))
            yield from (_stored(listed) for page in pages for listed in page)
        except InvalidPathError:
            yield from self._list_around_bad_names(prefix)

    def _list_around_bad_names(self, prefix: str) -> Iterator[StoredObject]:
        """One file name that no object store could hold makes the quick listing fail as a whole; pass over just that."""
        root = Path(str(getattr(self.backend, "prefix", "") or ""))
        for file in (root / prefix).rglob("*"):
            key = file.relative_to(root).as_posix()
            try:
                if file.is_file() and not _UNFINISHED.search(key):
                    yield _stored(obstore.head(self.backend, key))
            except (NotFoundError, FileNotFoundError):
                continue
            except (InvalidPathError, ValueError):
                logger.warning("left alone: %r has a name that is not a valid key; rename it", key)

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except (NotFoundError, FileNotFoundError) as error:
            if "NoSuchBucket" in str(error):
                raise UserError(_refused(self.url, action, error)) from None
            raise Missing(f"{action}: there is no such object in {self.url}") from None
        except PreconditionError as error:
            raise Changed(f"{action}: {_first_line(error)}") from None
        except (BaseError, PermissionError) as error:
            raise UserError(_refused(self.url, action, error)) from error


def _stored(meta: Any) -> StoredObject:
    version = meta["version"] or (meta["e_tag"] or f"{meta['last_modified'].timestamp()}-{meta['size']}").strip('"')
    return StoredObject(meta["path"], meta["size"], version, meta["last_modified"])


def _expect(wanted: StoredObject, found: StoredObject) -> None:
    if found.version != wanted.version:
        raise Changed(f"{wanted.key}: expected version {wanted.version}, found {found.version}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _refused(url: str, action: str, error: Exception) -> str:
    return f"cannot {action} in {url}: {_first_line(error)}. Check LASTMILE_STORE_URL and its credentials; `lastmile doctor` looks too"
