"""From a URL to a store: `file://`, `s3://`, `gs://`, `az://`, or `memory://` for tests."""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, LocalStore, MemoryStore, ObjectStore, S3Store

from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.store.objects import Store

_BUCKETS: dict[str, Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
#: A wrong address is reported within seconds; a struggling store gets some to recover. Unencrypted only where an
#: endpoint says so: `http://minio:9000`.
_CLIENT: Any = {"connect_timeout": "3s", "timeout": "120s", "allow_http": True}
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=15)}


def open_store(settings: Settings, s3_options: Mapping[str, str] | None = None) -> Store:
    """The installation's store; see `open_at`, whose S3 options `s3_options` (obstore's names) override."""
    return open_at(settings.store_url, "LASTMILE_STORE_URL", s3_options)


def open_at(url: str, variable: str, s3_options: Mapping[str, str] | None = None) -> Store:
    """The store at an address, which `variable` is set to.

    Credentials and endpoints come from the cloud's usual variables (AWS_..., GOOGLE_..., AZURE_...). Raises UserError
    for an invalid URL; no bucket is contacted yet.
    """
    try:
        return Store(url.rstrip("/"), _backend(url, s3_options or {}))
    except (BaseError, OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise UserError(f"{variable} {url.rstrip('/')!r} cannot be used: {reason}") from error


def _backend(url: str, s3_options: Mapping[str, str]) -> ObjectStore:
    parts = urlparse(url)
    if parts.scheme == "memory":
        return MemoryStore()
    if parts.scheme == "file":
        return LocalStore(_folder(parts.netloc, parts.path), mkdir=True)
    if parts.scheme not in _BUCKETS:
        raise ValueError("expected it to begin with file://, s3://, gs:// or az://")
    if not parts.netloc or parts.query:
        raise ValueError(f"expected {parts.scheme}://<bucket> or {parts.scheme}://<bucket>/<prefix>")
    config: Any = _s3_endpoint() | dict(s3_options) if parts.scheme == "s3" else None
    opened: ObjectStore = _BUCKETS[parts.scheme].from_url(
        url, config=config, client_options=_CLIENT, retry_config=_RETRIES
    )
    return opened


def _folder(host: str, path: str) -> Path:
    if host not in ("", "localhost") or not path.strip("/"):
        raise ValueError("expected a folder's full path after file://, such as file:///data/store")
    return Path(unquote(path))


def _s3_endpoint() -> dict[str, str]:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return {"aws_endpoint": endpoint} if endpoint else {}
