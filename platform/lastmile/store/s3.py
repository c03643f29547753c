"""Listing a bucket with S3's own client, for what the store's client lacks: version ids, and names it rejects."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from obstore.exceptions import GenericError
from obstore.store import S3Store

from lastmile.store.stored_object import StoredObject, version_of

log = logging.getLogger(__name__)

#: Error codes of servers without versioning, or that deny the question: treated as a bucket without versions.
NOT_SUPPORTED = ("AccessDenied", "NotImplemented", "MethodNotAllowed", "501")


def keeps_versions(backend: S3Store) -> bool:
    """Whether the bucket keeps versions, or once did: objects of that time still have a version id."""
    from botocore.exceptions import ClientError

    with as_store_errors():
        try:
            return "Status" in client(backend).get_bucket_versioning(Bucket=backend.config["bucket"])
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOT_SUPPORTED:
                raise
            log.warning("treated as a bucket without versions, since it does not answer: %s", error)
            return False


def list_versions(backend: S3Store, prefix: str) -> Iterator[StoredObject]:
    """The current version of each object that is not deleted, sorted by key."""
    with as_store_errors():
        for version in _pages(backend, "list_object_versions", "Versions", prefix):
            if version["IsLatest"]:
                yield _stored(backend, version)


def list_objects(backend: S3Store, prefix: str, after: str) -> Iterator[StoredObject]:
    """Each object after the key `after`, sorted by key, whatever its name."""
    with as_store_errors():
        for found in _pages(backend, "list_objects_v2", "Contents", prefix, StartAfter=root(backend) + after):
            yield _stored(backend, found)


def versions_of(backend: S3Store, key: str) -> list[Any]:
    """What S3 says of each version of one object, newest first."""
    with as_store_errors():
        pages = client(backend).get_paginator("list_object_versions")
        found = pages.paginate(Bucket=backend.config["bucket"], Prefix=root(backend) + key)
        return [one for page in found for one in page.get("Versions", []) if one["Key"] == root(backend) + key]


def _pages(backend: S3Store, operation: str, part: str, prefix: str, **more: str) -> Iterator[Any]:
    """Everything below `prefix`, except the folder markers that consoles create."""
    below = root(backend) + (f"{prefix.rstrip('/')}/" if prefix else "")
    pages = client(backend).get_paginator(operation).paginate(Bucket=backend.config["bucket"], Prefix=below, **more)
    return (found for page in pages for found in page.get(part, []) if not found["Key"].endswith("/"))


def _stored(backend: S3Store, found: Any) -> StoredObject:
    key = found["Key"].removeprefix(root(backend))
    version = version_of(found.get("VersionId"), found["ETag"], found["LastModified"], found["Size"])
    return StoredObject(key, found["Size"], version, found["LastModified"])


def root(backend: S3Store) -> str:
    """The prefix of every key of the store in its bucket."""
    return f"{backend.prefix}/" if backend.prefix else ""


def client(backend: S3Store) -> Any:
    """S3's own client, with the store's address and credentials."""
    config = dict(backend.config)
    return _client(
        config.get("endpoint"),
        config.get("region"),
        config.get("access_key_id"),
        config.get("secret_access_key"),
        config.get("session_token"),
    )


@lru_cache(maxsize=4)  # making one takes longer than most requests
def _client(endpoint: str | None, region: str | None, key: str | None, secret: str | None, token: str | None) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(connect_timeout=3, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 4}),
    )


@contextmanager
def as_store_errors() -> Iterator[None]:
    """Turn the errors of S3's own client into one that `translated_errors` knows."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise GenericError(str(error)) from error
