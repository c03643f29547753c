"""Listing a folder that has a file whose name is no valid key: a control character, bytes that are no text.

The store's client fails the whole listing for it, so one such file could block all others.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import obstore
from obstore.exceptions import InvalidPathError, NotFoundError
from obstore.store import LocalStore

from lastmile.store.stored_object import StoredObject, version_of


def list_folder(backend: LocalStore, prefix: str) -> Iterator[StoredObject]:
    """Each file as the store's client describes it; those whose names it rejects, as the file system does."""
    root = Path(str(backend.prefix))
    for file in (root / prefix).rglob("*"):
        key = file.relative_to(root).as_posix()
        try:
            if file.is_file() and not _is_unfinished(key):
                yield _inspected(backend, key, file)
        except (NotFoundError, FileNotFoundError):
            continue


def _inspected(backend: LocalStore, key: str, file: Path) -> StoredObject:
    try:
        meta = obstore.head(backend, key)
        version = version_of(None, meta["e_tag"], meta["last_modified"], meta["size"])
        return StoredObject(key, meta["size"], version, meta["last_modified"])
    except (InvalidPathError, ValueError):
        status = file.stat()
        modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
        return StoredObject(key, status.st_size, version_of(None, None, modified_at, status.st_size), modified_at)


def _is_unfinished(key: str) -> bool:
    """Whether the name is one that the client gives to a file it is still writing."""
    name, _, number = key.rpartition("#")
    return bool(name) and number.isdigit()
