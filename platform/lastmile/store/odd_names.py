"""Listing where one name among many is no valid key: an empty segment, `..`, a control character.

The store's client fails the whole listing for it, so that one upload could hold up all others. Here the others are
listed and the odd one is passed over with a warning.
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import InvalidPathError, NotFoundError
from obstore.store import LocalStore, S3Store

log = logging.getLogger(__name__)


def list_folder_around(backend: LocalStore, prefix: str) -> Iterator[Any]:
    """The metadata of each file that has a valid name."""
    root = Path(str(backend.prefix))
    for file in (root / prefix).rglob("*"):
        key = file.relative_to(root).as_posix()
        try:
            if file.is_file() and not _is_unfinished(key):
                yield obstore.head(backend, key)
        except (NotFoundError, FileNotFoundError):
            continue
        except (InvalidPathError, ValueError):
            _pass_over(key)


def list_s3_around(backend: S3Store, prefix: str, after: str) -> Iterator[tuple[str, int, str, datetime]]:
    """Key, size, version and time of each object after the key `after` that has a valid name, by S3's own client."""
    import boto3

    config = dict(backend.config)
    client = boto3.client(
        "s3",
        endpoint_url=config.get("endpoint"),
        region_name=config.get("region"),
        aws_access_key_id=config.get("access_key_id"),
        aws_secret_access_key=config.get("secret_access_key"),
        aws_session_token=config.get("session_token"),
    )
    root = f"{backend.prefix}/" if backend.prefix else ""
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=config["bucket"], Prefix=f"{root}{prefix.rstrip('/')}/".lstrip("/"), StartAfter=root + after
    )
    for found in (found for page in pages for found in page.get("Contents", [])):
        key = found["Key"].removeprefix(root)
        if is_valid(key):
            yield key, found["Size"], found["ETag"].strip('"'), found["LastModified"]
        elif not key.endswith("/"):
            _pass_over(key)


def is_valid(key: str) -> bool:
    """Whether every store can hold it: segments parted by single slashes, none relative, no control characters."""
    return key.isprintable() and all(segment not in ("", ".", "..") for segment in key.split("/"))


def _is_unfinished(key: str) -> bool:
    """Whether it is what the client names a file that it is still writing into a folder."""
    name, _, number = key.rpartition("#")
    return bool(name) and number.isdigit()


def _pass_over(key: str) -> None:
    log.warning("passed over: %r is not a valid name for an object; rename it", key)
