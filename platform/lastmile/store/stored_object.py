"""What is known of an object without reading it, and what its version is on each kind of store."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StoredObject:
    """An object as listed. `version` names its bytes: a version id, else its ETag, else its time and size."""

    key: str
    size: int
    version: str
    modified_at: datetime


def version_of(version_id: str | None, e_tag: str | None, modified_at: datetime, size: int) -> str:
    """The name of an object's bytes.

    S3 calls `null` what was written while a bucket kept no versions; since that can be overwritten, its ETag counts.
    So a bucket that begins to keep versions, or stops, brings no known object back as a new one.
    """
    if version_id and version_id != "null":
        return version_id
    return (e_tag or f"{modified_at.timestamp()}-{size}").strip('"')
