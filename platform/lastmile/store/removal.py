"""Removing an object for good, but only the expected version: one that arrives meanwhile stays.

- In a folder the file is moved away first, checked, and moved back where it is not the expected version.
- S3 deletes only what still has the expected ETag.
- Where a bucket keeps versions, exactly the expected ones are removed, oldest first: a delete marker would keep the
  bytes, and removing the newest alone would bring the previous one back into the listing.
- Elsewhere the version is checked just before.
"""

from collections.abc import Container
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, S3Store

from lastmile.store import s3
from lastmile.store.objects import Store
from lastmile.store.stored_object import Changed, Missing, StoredObject, translated_errors, version_of

REMOVING = "removing/"


def remove(store: Store, wanted: StoredObject, older: Container[str] = ()) -> None:
    """Remove the object and, where the bucket keeps versions, its older versions, all of which must be in `older`.

    Raises Missing where there is no such object, Changed where it is another version or has older versions that are
    not in `older`; then nothing is removed.
    """
    with translated_errors(store.url, f"remove {wanted.key}"):
        if isinstance(store.backend, LocalStore):
            _remove_file(store, store.backend, wanted)
        elif isinstance(store.backend, S3Store) and store.keeps_versions:
            _remove_versions(store.backend, wanted, older)
        elif isinstance(store.backend, S3Store):
            _remove_matching(store, store.backend, wanted)
        else:
            _expect_version(store, wanted)
            obstore.delete(store.backend, wanted.key)


def restore_interrupted(store: Store) -> None:
    """Move back the files that a killed removal had moved away, where no newer ones have replaced them."""
    if isinstance(store.backend, LocalStore):
        for left in store.list(REMOVING):
            with translated_errors(store.url, f"restore {left.key}"):
                _restore(store.backend, left.key.removeprefix(REMOVING))


def _remove_file(store: Store, backend: LocalStore, wanted: StoredObject) -> None:
    _expect_version(store, wanted)
    obstore.rename(backend, wanted.key, REMOVING + wanted.key)
    try:
        _expect_version(store, wanted, REMOVING)
    except Changed:
        _restore(backend, wanted.key)
        raise
    obstore.delete(backend, REMOVING + wanted.key)


def _restore(backend: LocalStore, key: str) -> None:
    try:
        obstore.rename(backend, REMOVING + key, key, overwrite=False)
    except (AlreadyExistsError, FileExistsError):
        obstore.delete(backend, REMOVING + key)  # a newer one has replaced it, as if it had been overwritten


def _remove_matching(store: Store, backend: S3Store, wanted: StoredObject) -> None:
    from botocore.exceptions import ClientError

    _expect_version(store, wanted)
    target = {"Bucket": backend.config["bucket"], "Key": s3.root(backend) + wanted.key}
    with s3.as_store_errors():
        try:
            s3.client(backend).delete_object(**target, IfMatch=f'"{wanted.version}"')
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                raise Changed(f"{wanted.key} is no longer version {wanted.version}") from error
            if code not in s3.NOT_SUPPORTED:
                raise
            _expect_version(store, wanted)
            s3.client(backend).delete_object(**target)


def _remove_versions(backend: S3Store, wanted: StoredObject, older: Container[str]) -> None:
    found = s3.versions_of(backend, wanted.key)
    if not found or not found[0]["IsLatest"]:
        raise Missing(f"{wanted.key}: there is no such object")
    names = [version_of(one["VersionId"], one["ETag"], one["LastModified"], one["Size"]) for one in found]
    if names[0] != wanted.version:
        raise Changed(f"{wanted.key}: expected version {wanted.version}, found {names[0]}")
    if unknown := [name for name in names[1:] if name not in older]:
        raise Changed(f"{wanted.key}: its version {unknown[0]} was never ingested")
    target: Any = {"Bucket": backend.config["bucket"], "Key": s3.root(backend) + wanted.key}
    with s3.as_store_errors():
        for one in reversed(found):
            s3.client(backend).delete_object(**target, VersionId=one["VersionId"])


def _expect_version(store: Store, wanted: StoredObject, prefix: str = "") -> None:
    found = store.head(prefix + wanted.key).version
    if found != wanted.version:
        raise Changed(f"{wanted.key}: expected version {wanted.version}, found {found}")
