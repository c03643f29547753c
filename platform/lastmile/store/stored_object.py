"""An object as listed, what its version is on each kind of store, and the errors of accessing one.

Errors of the store's client become one line: what was attempted, where, why it failed, and what to check.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from obstore.exceptions import BaseError, InvalidPathError, NotFoundError, PreconditionError

from lastmile.errors import Unreachable, UserError

_NO_CREDENTIALS = "there are no credentials; set AWS_ACCESS_KEY_ID and the secret key, or your cloud's equivalents"
_NO_ANSWER = "nothing answers; check LASTMILE_STORE_URL, AWS_ENDPOINT_URL and the network"
#: Text in the client's message: what it means to a person. The first match counts.
_MEANINGS = {
    "NoSuchBucket": "there is no such bucket; create it or correct LASTMILE_STORE_URL",
    "169.254.169.254": _NO_CREDENTIALS,
    "InvalidAccessKeyId": "the access key is not known there; check AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong; check AWS_SECRET_ACCESS_KEY",
    "AccessDenied": "access is denied; the credentials need the rights to list, read, write and delete",
    "403 Forbidden": "access is denied; check the credentials",
    "401 Unauthorized": "access is denied; check the credentials",
    "Unable to locate credentials": _NO_CREDENTIALS,
    "error sending request": _NO_ANSWER,
    "Could not connect to the endpoint": _NO_ANSWER,
    "404 Not Found": "there is no such bucket, or no object store at that address; check LASTMILE_STORE_URL",
}


class Missing(Exception):
    """The object does not exist, or no longer."""


class Changed(Exception):
    """The object's bytes are not those of the requested version."""


class Denied(Exception):
    """The object is there, and this one alone may not be read."""


@dataclass(frozen=True)
class StoredObject:
    """An object as listed. `version` identifies its bytes: a version id, else its ETag, else its time and size."""

    key: str
    size: int
    version: str
    modified_at: datetime


def version_of(version_id: str | None, e_tag: str | None, modified_at: datetime, size: int) -> str:
    """The identity of an object's bytes.

    S3 gives the version id `null` to what was written while a bucket kept no versions; since that can be overwritten,
    its ETag counts. So a bucket that starts or stops keeping versions brings no known object back as a new one.
    """
    if version_id and version_id != "null":
        return version_id
    return (e_tag or f"{modified_at.timestamp()}-{size}").strip('"')


@contextmanager
def translated_errors(url: str, action: str) -> Iterator[None]:
    """Turn the client's errors into ours: Missing, Changed, or a UserError for what a person can fix."""
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        if "NoSuchBucket" in str(error):
            raise Unreachable(f"cannot {action} in {url}: {_meaning(error)}") from error
        raise Missing(f"cannot {action}: there is no such object in {url}") from error
    except PreconditionError as error:
        raise Changed(f"cannot {action}: it changed while being read") from error
    except (InvalidPathError, ValueError) as error:
        raise UserError(f"cannot {action} in {url}: {_first_line(error)}; give it another name") from error
    except (BaseError, PermissionError) as error:
        raise Unreachable(f"cannot {action} in {url}: {_meaning(error)}") from error


def _meaning(error: Exception) -> str:
    whole = str(error)
    known = next((meaning for text, meaning in _MEANINGS.items() if text in whole), None)
    return known or f"{_first_line(error)}; `lastmile doctor` checks what is configured"


def _first_line(error: Exception) -> str:
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return re.sub(r"(https?://[^\s?]+)\?\S*", r"\1", line)  # a query may carry a signature
