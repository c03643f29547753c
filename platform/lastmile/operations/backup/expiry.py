"""Which backups are kept: all of the last days, then one a week and one a month; and what goes with those that go.

A backup stays as long as one that builds on it. The log stays for the days in which any moment can be restored; older
backups are restored as they were made, with the log that they hold themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lastmile.operations.backup import log as archive
from lastmile.operations.backup.catalogue import BACKUPS, Backup, backups, chain, incomplete
from lastmile.operations.backup.repository import Repository
from lastmile.operations.backup.snapshots import OBJECTS, Snapshot, content_of, contents, snapshots
from lastmile.settings.backup import BackupSettings


@dataclass(frozen=True)
class Expired:
    """What went: backups by id, and the number of objects of the repository."""

    backups: tuple[str, ...]
    objects: int


def expire(repository: Repository, settings: BackupSettings, now: datetime) -> Expired:
    """Remove what is not kept. No other process may make a backup or copy objects meanwhile."""
    known = backups(repository)
    kept = keep(known, settings, now)
    gone = [one for one in known if one not in kept]
    keys = incomplete(repository)
    for one in gone:  # first what makes it a backup: killed in between, the rest is that of no backup
        keys += sorted(
            (found.key for found in repository.list(f"{BACKUPS}/{one.id}/")), key=lambda key: "/complete." not in key
        )
    since = now - timedelta(days=settings.keep_days)
    keys += _log(repository, kept, since)
    keys += _snapshots(repository, kept, since)
    for key in keys:
        repository.delete(key)
    left = snapshots(repository)
    needed = set[str]().union(*(contents(repository, one) for one in left))
    unused = [one.key for one in repository.list(f"{OBJECTS}/") if content_of(one.name) not in needed]
    for key in unused:
        repository.delete(key)
    return Expired(tuple(one.id for one in gone), len(keys) + len(unused))


def keep(known: Sequence[Backup], settings: BackupSettings, now: datetime) -> list[Backup]:
    """Those that are kept, in the given order: never fewer than the newest, and with each all that it builds on."""
    chosen = {one.id for one in known if one.ended_at >= now - timedelta(days=settings.keep_days)}
    chosen |= {one.id for one in _one_each(known, "%G-%V", settings.keep_weeks)}
    chosen |= {one.id for one in _one_each(known, "%Y-%m", settings.keep_months)}
    physical = [one for one in known if one.kind != "logical"]
    #: The last one before the days in which any moment can be restored is where those begin.
    before = [one for one in physical if one.ended_at < now - timedelta(days=settings.keep_days)]
    chosen |= {one.id for one in (*before[-1:], *known[-1:])}
    there = {one.id for one in known}
    for one in known:
        if one.id in chosen and _is_whole(one, known, there):
            chosen |= {other.id for other in chain(known, one)}
    return [one for one in known if one.id in chosen]


def _is_whole(one: Backup, known: Sequence[Backup], there: set[str]) -> bool:
    by_id = {other.id: other for other in known}
    while one.parent is not None:
        if one.parent not in there:
            return False
        one = by_id[one.parent]
    return True


def _one_each(known: Sequence[Backup], form: str, most: int) -> list[Backup]:
    """The first of each of the last periods, such as weeks, that have one."""
    first: dict[str, Backup] = {}
    for one in known:
        first.setdefault(one.ended_at.strftime(form), one)
    return list(first.values())[-most:] if most else []


def _log(repository: Repository, kept: Sequence[Backup], since: datetime) -> list[str]:
    """Segments from before the first backup from which any moment can be restored."""
    physical = [one for one in kept if one.kind != "logical"]
    first = next(iter([*[one for one in physical if one.ended_at < since][-1:], *physical]), None)
    if first is None:
        return []
    needed = archive.segment_at(first.timeline, first.start)
    there = archive.archived(repository)
    is_old: Callable[[str], bool] = lambda name: archive.number_of(name) < archive.number_of(needed)  # noqa: E731
    return [key for name, key in (*there.segments.items(), *there.ends.items()) if is_old(name)]


def _snapshots(repository: Repository, kept: Sequence[Backup], since: datetime) -> list[str]:
    """Older snapshots than these days, but for the first after each backup that is kept, and the newest."""
    known = snapshots(repository)
    chosen: set[Snapshot] = {one for one in known if one.at >= since} | set(known[-1:])
    for backup in kept:
        chosen |= set([one for one in known if one.at >= backup.ended_at][:1])
        chosen |= set([one for one in known if one.at <= backup.ended_at][-1:])
    chosen |= set([one for one in known if one.at < since][-1:])
    return [key for one in known if one not in chosen for key in (one.contents, one.keys)]
