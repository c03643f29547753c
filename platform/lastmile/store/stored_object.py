"""An object as listed, what its version is on each kind of store, and what may have happened to it since."""

from dataclasses import dataclass
from datetime import datetime


class Missing(Exception):
    """The object does not exist, or no longer."""


class Changed(Exception):
    """The object's bytes are not those of the requested version."""


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
