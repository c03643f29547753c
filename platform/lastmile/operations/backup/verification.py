"""Whether backups can be relied on: every byte that is stored is read, and nothing that is needed is missing.

It needs no key: the names carry the digests of what is stored. Whether it can be decrypted and started is what a
restore drill shows.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from lastmile.errors import UserError
from lastmile.operations.backup import log as archive
from lastmile.operations.backup.catalogue import BACKUPS, Backup, backups, chain
from lastmile.operations.backup.repository import Kept, Progress, Repository
from lastmile.operations.backup.snapshots import OBJECTS, SNAPSHOTS, lost, snapshots

_PARALLEL = 4


def faults(repository: Repository, progress: Progress) -> list[str]:
    """One sentence for each thing that is damaged or missing; empty where all backups are good."""
    kept = [one for prefix in (BACKUPS, archive.LOG, OBJECTS, SNAPSHOTS) for one in repository.list(f"{prefix}/")]
    found = list(_damaged(repository, kept, progress))
    try:
        known = backups(repository)
    except UserError as error:
        return list(dict.fromkeys([*found, str(error)]))
    there = {one.key for one in kept}
    for backup in known:
        found += [f"backup {backup.id}: {key} is lost" for key in _needed(backup) if key not in there]
        try:
            chain(known, backup)
        except UserError as error:
            found.append(str(error))
    return [*found, *_gaps(repository, known), *_lost(repository)]


def _damaged(repository: Repository, kept: Sequence[Kept], progress: Progress) -> Iterator[str]:
    total, done = sum(one.size for one in kept), 0
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="verify") as pool:
        for one, fault in zip(kept, pool.map(lambda one: _fault(repository, one), kept), strict=True):
            done += one.size
            progress("verifying", done, total)
            if fault:
                yield fault


def _fault(repository: Repository, one: Kept) -> str | None:
    try:
        repository.stored(one.key)
    except UserError as error:
        return str(error)
    return None


def _needed(backup: Backup) -> list[str]:
    return [*backup.parts, *filter(None, (backup.home, backup.manifest))]


def _gaps(repository: Repository, known: Sequence[Backup]) -> list[str]:
    """Gaps in the archived log that no later backup makes good."""
    physical = [one for one in known if one.kind != "logical"]
    if not physical:
        return []
    first = archive.segment_after(physical[-1].timeline, physical[-1].end)
    return [
        f"the log has a gap at segment {name}: moments after it cannot be restored until the next backup"
        for name in archive.archived(repository).gaps(first)[:3]
    ]


def _lost(repository: Repository) -> list[str]:
    found = []
    for snapshot in snapshots(repository)[-1:]:
        missing = sorted(lost(repository, snapshot))
        found += [f"the content {one[:12]}... of an object is lost" for one in missing[:10]]
    return found
