"""Snapshots of the objects: which key had which content at a time. A content is kept once, whatever its keys.

What was copied before is known by key and version from a file in the home; without it everything is read again, and
nothing is uploaded twice.
"""

import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from lastmile.errors import UserError
from lastmile.operations.backup.repository import PART_BYTES, Progress, Repository
from lastmile.store import Changed, Denied, Missing, Store, StoredObject

OBJECTS, SNAPSHOTS = "objects", "snapshots"
_KEYS, _CONTENTS = "keys", "contents"
_PARALLEL = 4
_TIME = "%Y%m%dT%H%M%S.%fZ"


@dataclass(frozen=True)
class Entry:
    """A version of an object: its bytes are those of its parts, one after another."""

    key: str
    version: str
    size: int
    modified_at: datetime
    sha256: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Copied:
    """A snapshot that was made: how many objects it has, and how many bytes were uploaded for it."""

    at: datetime
    objects: int
    uploaded: int
    uploaded_bytes: int


@dataclass(frozen=True)
class Snapshot:
    """A complete snapshot, and the objects of the repository that list its keys and contents."""

    at: datetime
    keys: str
    contents: str


def take(repository: Repository, store: Store, memory: Path, progress: Progress) -> Copied | None:
    """Copy what is new and say what there is now; None where nothing has changed since the last one."""
    at = datetime.now(UTC)
    before = _remembered(memory, repository.store.url, snapshots(repository)[-1:])
    listed = list({one.key: one for one in store.list("")}.values())
    if before is not None and {one.key: one.version for one in listed} == {
        key: one.version for key, one in before.items()
    }:
        return None
    kept = {part for one in (before or {}).values() for part in one.parts}
    copy = _Copy(repository, store, before or {}, kept, progress, sum(one.size for one in listed))
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="object") as pool:
        entries = [one for one in pool.map(copy.entry, listed) if one]
    _publish(repository, at, entries)
    _remember(memory, repository.store.url, at, entries)
    return Copied(at, len(entries), copy.uploaded, copy.uploaded_bytes)


def snapshots(repository: Repository) -> list[Snapshot]:
    """All complete ones, the oldest first."""
    found: dict[str, dict[str, str]] = {}
    for kept in repository.list(f"{SNAPSHOTS}/"):
        _, time, part = kept.name.split("/")
        found.setdefault(time, {})[part] = kept.key
    return [
        Snapshot(datetime.strptime(time, _TIME).replace(tzinfo=UTC), keys[_KEYS], keys[_CONTENTS])
        for time, keys in sorted(found.items())
        if keys.keys() == {_KEYS, _CONTENTS}
    ]


def contents(repository: Repository, snapshot: Snapshot) -> set[str]:
    """The contents that a snapshot needs; readable without a key."""
    return set(repository.read(snapshot.contents).decode().split())


def entries(repository: Repository, snapshot: Snapshot) -> dict[str, Entry]:
    return _read(repository.read(snapshot.keys).decode().splitlines())


def entries_at(repository: Repository, moment: datetime | None) -> dict[str, Entry]:
    """The objects there were at a time; the newest known where it is None.

    The first snapshot after that moment has what came shortly before it, the last one before what was removed or
    replaced since. Raises UserError where there is none.
    """
    known = snapshots(repository)
    if not known:
        raise UserError(f"{repository.store.url} has no snapshot of the objects: run `lastmile backup`")
    if moment is None:
        return entries(repository, known[-1])
    before = [one for one in known if one.at <= moment][-1:]
    after = [one for one in known if one.at > moment][:1]
    found: dict[str, Entry] = {}
    for snapshot in (*before, *after):
        there = {key: one for key, one in entries(repository, snapshot).items() if one.modified_at <= moment}
        found |= there
    return found


def restore(
    repository: Repository, store: Store, wanted: Iterable[Entry], progress: Progress
) -> Iterator[tuple[Entry, str]]:
    """Put the objects back, each verified; with each the version it has now. Raises UserError for one that is lost."""
    wanted = list(wanted)
    total, done = sum(one.size for one in wanted), 0
    where = _where(repository, {part for one in wanted for part in one.parts})

    def put(one: Entry) -> tuple[Entry, str]:
        with tempfile.NamedTemporaryFile() as file:
            _assemble(repository, where, one, file)
            store.put(one.key, Path(file.name))
        return one, store.dated(one.key, one.modified_at).version

    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="object") as pool:
        for entry, version in pool.map(put, wanted):
            done += entry.size
            progress("objects", done, total)
            yield entry, version


def lost(repository: Repository, snapshot: Snapshot) -> set[str]:
    """Contents that the snapshot needs and the repository has not."""
    needed = contents(repository, snapshot)
    return needed - _where(repository, needed).keys()


def folder_of(content: str) -> str:
    return f"{OBJECTS}/{content[:2]}/{content}/"


def content_of(name: str) -> str:
    """The content that an object of the repository holds, by its name."""
    return name.split("/")[2]


class _Copy:
    """Copies objects whose version is not known yet, and of those the contents that are not kept yet."""

    def __init__(
        self,
        repository: Repository,
        store: Store,
        before: Mapping[str, Entry],
        kept: set[str],
        progress: Progress,
        total: int,
    ) -> None:
        self._repository, self._store, self._before, self._kept = repository, store, before, kept
        self._progress, self._total, self._done = progress, total, 0
        self.uploaded, self.uploaded_bytes = 0, 0

    def entry(self, listed: StoredObject) -> Entry | None:
        """None where the object went or changed meanwhile: the next snapshot has it, or that it is gone."""
        known = self._before.get(listed.key)
        if known is None or known.version != listed.version:
            try:
                known = self._copied(listed)
            except (Missing, Changed, Denied):
                return None
        self._done += listed.size
        self._progress("objects", self._done, self._total)
        return known

    def _copied(self, listed: StoredObject) -> Entry:
        with tempfile.TemporaryDirectory() as folder:
            pinned = self._store.pin(listed, Path(folder) / "object")
            with pinned.path.open("rb") as file:
                parts = tuple(self._keep(part) for part in iter(lambda: file.read(PART_BYTES), b""))
            pinned.expect_unchanged()
        return Entry(listed.key, listed.version, listed.size, listed.modified_at, pinned.sha256, parts)

    def _keep(self, data: bytes) -> str:
        content = hashlib.sha256(data).hexdigest()
        if content not in self._kept and not any(self._repository.list(folder_of(content))):
            self._repository.put(f"{folder_of(content)}part", data)
            self.uploaded += 1
            self.uploaded_bytes += len(data)
        self._kept.add(content)
        return content


def _publish(repository: Repository, at: datetime, found: Sequence[Entry]) -> None:
    folder = f"{SNAPSHOTS}/{at:{_TIME}}"
    repository.put(f"{folder}/{_KEYS}", "\n".join(map(_line, found)).encode())
    needed = sorted({part for one in found for part in one.parts})
    repository.put_public(f"{folder}/{_CONTENTS}", "\n".join(needed).encode())


def _line(entry: Entry) -> str:
    return json.dumps({**asdict(entry), "modified_at": entry.modified_at.isoformat()})


def _read(lines: Iterable[str]) -> dict[str, Entry]:
    found = {}
    for line in lines:
        one = json.loads(line)
        modified_at = datetime.fromisoformat(one["modified_at"])
        found[one["key"]] = Entry(**{**one, "modified_at": modified_at, "parts": tuple(one["parts"])})
    return found


def _remember(memory: Path, url: str, at: datetime, found: Sequence[Entry]) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    partial = memory.with_name(f".{memory.name}.{os.getpid()}")
    with gzip.open(partial, "wt", 1) as file:
        file.writelines(f"{line}\n" for line in (json.dumps([url, at.isoformat()]), *map(_line, found)))
    partial.rename(memory)


def _remembered(memory: Path, url: str, newest: Sequence[Snapshot]) -> dict[str, Entry] | None:
    """What the newest snapshot has, where that was made here; None where it has to be found out anew."""
    try:
        with gzip.open(memory, "rt") as file:
            head, *lines = file.read().splitlines()
    except (OSError, EOFError, ValueError):
        return None
    is_newest = json.loads(head) == [url, *(one.at.isoformat() for one in newest)]
    return _read(lines) if is_newest else None


def _where(repository: Repository, needed: set[str]) -> dict[str, str]:
    """The objects of the repository that hold these contents."""
    return {
        content: kept.key for kept in repository.list(f"{OBJECTS}/") if (content := content_of(kept.name)) in needed
    }


def _assemble(repository: Repository, where: Mapping[str, str], entry: Entry, file: IO[bytes]) -> None:
    digest = hashlib.sha256()
    for part in entry.parts:
        if part not in where:
            raise UserError(
                f"the content of {entry.key} is lost: {repository.store.url} has no {folder_of(part)}; restore to"
                " another time"
            )
        data = repository.read(where[part])
        digest.update(data)
        file.write(data)
    if digest.hexdigest() != entry.sha256:
        raise UserError(
            f"the content of {entry.key} is damaged: expected SHA-256 {entry.sha256}; restore to another time"
        )
    file.flush()
