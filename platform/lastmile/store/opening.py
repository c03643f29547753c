"""From a URL to a store: `file://`, `s3://`, `gs://`, `az://`, or `memory://` for tests."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.store.objects import Store

_SCHEMES = ("file", "s3", "gs", "az", "memory")
#: A wrong address is told within seconds; a store in trouble is given some time to recover.
_CLIENT = {"connect_timeout": "5s", "timeout": "120s", "allow_http": True}
_RETRY = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


def open_store(settings: Settings, s3_options: Mapping[str, str] | None = None) -> Store:
    """The installation's store. Credentials and endpoints come from the cloud's usual variables (AWS_..., GOOGLE_...,
    AZURE_...), or for S3 from `s3_options`. Raises UserError for a URL that cannot be one; nothing is contacted yet.
    """
    url = settings.store_url.rstrip("/")
    parts = urlparse(url)
    if parts.scheme not in _SCHEMES:
        raise UserError(f"LASTMILE_STORE_URL {url!r}: expected a URL that begins with {', '.join(f'{name}://' for name in _SCHEMES)}")
    if parts.scheme in ("s3", "gs", "az") and not parts.netloc:
        raise UserError(f"LASTMILE_STORE_URL {url!r}: expected {parts.scheme}://<bucket> or {parts.scheme}://<bucket>/<prefix>")
    return Store(url, _backend(url, parts.scheme, s3_options))


def _backend(url: str, scheme: str, s3_options: Mapping[str, str] | None) -> Any:
    from obstore.exceptions import BaseError
    from obstore.store import LocalStore, MemoryStore, from_url

    if scheme == "memory":
        return MemoryStore()
    if scheme == "file":
        folder = Path(unquote(urlparse(url).path))
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"LASTMILE_STORE_URL {url!r}: cannot make the folder {folder}: {error.strerror}") from None
        return LocalStore(folder)
    try:
        config = dict(s3_options or {}) if scheme == "s3" else {}
        return from_url(url, config=config, client_options=_CLIENT, retry_config=_RETRY)
    except (BaseError, ValueError) as error:
        raise UserError(f"LASTMILE_STORE_URL {url!r}: {str(error).splitlines()[0]}") from None
