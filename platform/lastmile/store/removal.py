"""Removing an object for good, but only the version that was meant: one that comes meanwhile stays.

- In a folder the file is put aside first, looked at, and put back where it is another one than expected.
- S3 is asked to delete only what still has the ETag expected.
- Where a bucket keeps versions, exactly those meant are removed, the oldest first: a marker of deletion would keep the
  bytes, and removing the newest alone would bring the one before it back into the listing.
- Elsewhere a look just before must do.
"""

from collections.abc import Container
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, S3Store

from lastmile.store import s3
from lastmile.store.errors import Changed, Missing, told
from lastmile.store.objects import Store
from lastmile.store.stored_object import StoredObject, version_of

ASIDE = "removing/"


def remove(store: Store, wanted: StoredObject, older: Container[str] = ()) -> None:
    """Remove the object and, where the bucket keeps versions, its versions before, all of which must be in `older`.

    Raises Missing where there is no such object, Changed where it is another version, or has versions before it that
    are not in `older`; then nothing is removed.
    """
    with told(store.url, f"remove {wanted.key}"):
        if isinstance(store.backend, LocalStore):
            _remove_file(store, store.backend, wanted)
        elif isinstance(store.backend, S3Store) and store.keeps_versions:
            _remove_versions(store.backend, wanted, older)
        elif isinstance(store.backend, S3Store):
            _remove_matching(store, store.backend, wanted)
        else:
            _check(store, wanted)
            obstore.delete(store.backend, wanted.key)


def put_back_left_over(store: Store) -> None:
    """Put back the files that a killed removal had put aside, where no newer ones have come in their place."""
    if isinstance(store.backend, LocalStore):
        for left in store.list(ASIDE):
            with told(store.url, f"put back {left.key}"):
                _put_back(store.backend, left.key.removeprefix(ASIDE))


def _remove_file(store: Store, backend: LocalStore, wanted: StoredObject) -> None:
    _check(store, wanted)
    obstore.rename(backend, wanted.key, ASIDE + wanted.key)
    try:
        _check(store, wanted, ASIDE)
    except Changed:
        _put_back(backend, wanted.key)
        raise
    obstore.delete(backend, ASIDE + wanted.key)


def _put_back(backend: LocalStore, key: str) -> None:
    try:
        obstore.rename(backend, ASIDE + key, key, overwrite=False)
    except (AlreadyExistsError, FileExistsError):
        obstore.delete(backend, ASIDE + key)  # a still newer one has taken its place, as if it had been overwritten


def _remove_matching(store: Store, backend: S3Store, wanted: StoredObject) -> None:
    from botocore.exceptions import ClientError

    _check(store, wanted)
    target = {"Bucket": backend.config["bucket"], "Key": s3.root(backend) + wanted.key}
    with s3.as_the_stores_own_errors():
        try:
            s3.client(backend).delete_object(**target, IfMatch=f'"{wanted.version}"')
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "PreconditionFailed":
                raise Changed(f"{wanted.key} is no longer version {wanted.version}") from error
            if code not in s3.NO_ANSWER:
                raise
            _check(store, wanted)
            s3.client(backend).delete_object(**target)


def _remove_versions(backend: S3Store, wanted: StoredObject, older: Container[str]) -> None:
    found = s3.versions_of(backend, wanted.key)
    if not found or not found[0]["IsLatest"]:
        raise Missing(f"{wanted.key}: there is no such object")
    names = [version_of(one["VersionId"], one["ETag"], one["LastModified"], one["Size"]) for one in found]
    if names[0] != wanted.version:
        raise Changed(f"{wanted.key}: expected version {wanted.version}, found {names[0]}")
    if unknown := [name for name in names[1:] if name not in older]:
        raise Changed(f"{wanted.key}: its version {unknown[0]} was never taken")
    target: Any = {"Bucket": backend.config["bucket"], "Key": s3.root(backend) + wanted.key}
    with s3.as_the_stores_own_errors():
        for one in reversed(found):
            s3.client(backend).delete_object(**target, VersionId=one["VersionId"])


def _check(store: Store, wanted: StoredObject, place: str = "") -> None:
    found = store.head(place + wanted.key).version
    if found != wanted.version:
        raise Changed(f"{wanted.key}: expected version {wanted.version}, found {found}")
