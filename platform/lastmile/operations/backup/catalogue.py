"""Which backups there are: those whose last object is there. What an attempt that died left behind is none."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from lastmile.errors import UserError
from lastmile.operations.backup.repository import Repository

BACKUPS = "backups"
_COMPLETE = "complete"

Kind = Literal["full", "incremental", "logical"]


@dataclass(frozen=True)
class Backup:
    """A complete backup. `start` and `end` are places in the log of `timeline`, between which it was made."""

    id: str
    kind: Kind
    parent: str | None
    started_at: datetime
    ended_at: datetime
    parts: tuple[str, ...]
    bytes: int
    stored_bytes: int
    #: The address of the store whose objects belong to it, and the newest migration of its database.
    store_url: str
    revision: str
    is_encrypted: bool
    #: What else of the home is needed: key of an object.
    home: str | None = None
    #: Of a physical backup only.
    manifest: str | None = None
    timeline: int = 0
    start: str = ""
    end: str = ""
    system: str = ""


def new_id(kind: Kind, now: datetime) -> str:
    """Ids sort by time."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{kind}"


def publish(repository: Repository, backup: Backup) -> None:
    """From here on the backup is one."""
    text = json.dumps(asdict(backup), default=lambda value: value.isoformat(), indent=1)
    repository.put_public(f"{BACKUPS}/{backup.id}/{_COMPLETE}", text.encode())


def backups(repository: Repository) -> list[Backup]:
    """All complete ones, the oldest first."""
    listed = [kept for kept in repository.list(f"{BACKUPS}/") if kept.name.endswith(f"/{_COMPLETE}")]
    return sorted((_parsed(repository.read(kept.key)) for kept in listed), key=lambda one: one.ended_at)


def incomplete(repository: Repository) -> list[str]:
    """Keys of what attempts that died have left behind."""
    kept = [*repository.list(f"{BACKUPS}/")]
    whole = {one.name.rpartition("/")[0] for one in kept if one.name.endswith(f"/{_COMPLETE}")}
    return [one.key for one in kept if one.name.rpartition("/")[0] not in whole]


def find(known: Sequence[Backup], backup_id: str) -> Backup:
    """Raises UserError where there is none, with those there are."""
    for one in known:
        if one.id == backup_id:
            return one
    there = ", ".join(one.id for one in known[-5:]) or "none yet"
    raise UserError(f"there is no backup {backup_id!r}; the newest are: {there}")


def newest_before(known: Sequence[Backup], moment: datetime | None) -> Backup:
    """The newest physical backup that had ended by then. Raises UserError where there is none."""
    fitting = [one for one in known if one.kind != "logical" and (moment is None or one.ended_at <= moment)]
    if not fitting:
        first = next((f"; the first ended at {one.ended_at:%Y-%m-%d %H:%M:%S}Z" for one in known), "")
        exports = [one.id for one in known if one.kind == "logical" and (moment is None or one.ended_at <= moment)]
        if exports:
            raise UserError(f"there are exports only, each of one moment: restore one with --from {exports[-1]}")
        raise UserError(f"there is no backup from before {moment or 'now'}{first}")
    return fitting[-1]


def chain(known: Sequence[Backup], last: Backup) -> list[Backup]:
    """The backup and those it builds on, the full one first. Raises UserError where one is lost."""
    by_id: Mapping[str, Backup] = {one.id: one for one in known}
    found = [last]
    while (parent := found[-1].parent) is not None:
        if parent not in by_id:
            raise UserError(f"backup {last.id} builds on {parent}, which is lost: restore from an earlier backup")
        found.append(by_id[parent])
    return found[::-1]


def parent_for(known: Sequence[Backup], system: str, now: datetime, full_days: int) -> Backup | None:
    """The backup that an incremental one may build on: the newest of this cluster, if its full one is recent enough."""
    physical = [one for one in known if one.kind != "logical" and one.system == system]
    if not physical or chain(known, physical[-1])[0].started_at < now - timedelta(days=full_days):
        return None
    return physical[-1]


def _parsed(data: bytes) -> Backup:
    found = json.loads(data)
    times = {name: datetime.fromisoformat(found[name]) for name in ("started_at", "ended_at")}
    return Backup(**{**found, **times, "parts": tuple(found["parts"])})
