"""Noticing at once that a folder has changed, by the system's own notifications, where it has any that can be trusted.

They are a hint only: what there is, a listing finds. A watch that ends (its folder is replaced, the system's limit is
reached) ends the iterator or raises, and the caller lists as often as without one until there is another.
"""

from collections.abc import Iterator
from pathlib import Path

import psutil
from obstore.store import LocalStore

from lastmile.store.objects import Store

#: File systems whose every change passes through this machine's own kernel. A network's or a virtual machine's shared
#: folder reports only what this machine itself writes.
_OWN = {
    "apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "overlay", "ramfs", "reiserfs", "tmpfs", "xfs",
    "zfs",
}  # fmt: skip
#: Changes that come within this time of each other are one.
_TOGETHER_MS, _STEP_MS = 200, 50
#: How often it is looked at whether the folder is still the same, and the longest until the first yield.
_SAME_MS = 5_000


def folder_of(store: Store, prefix: str) -> Path | None:
    """The folder of these keys, made where it is not there yet; None where it may change unnoticed, or is none.

    Raises OSError where it cannot be made.
    """
    if not isinstance(store.backend, LocalStore):
        return None
    folder = Path(str(store.backend.prefix), prefix)
    folder.mkdir(parents=True, exist_ok=True)
    return folder if _is_own(folder.resolve()) else None


def changes(folder: Path) -> Iterator[None]:
    """Yields once the watch has begun, and at each change of anything below; ends where the folder is another one.

    Raises OSError where it cannot be watched, or is gone.
    """
    from watchfiles import watch

    identity = _identity(folder)
    seen = watch(
        folder, watch_filter=None, debounce=_TOGETHER_MS, step=_STEP_MS, rust_timeout=_SAME_MS, yield_on_timeout=True,
        raise_interrupt=False, ignore_permission_denied=True,
    )  # fmt: skip
    is_first = True
    for changed in seen:
        if changed or is_first:
            yield
        is_first = False
        # A folder made anew may have the number of the one removed before.
        if any(place == str(folder) for _, place in changed) or _identity(folder) != identity:
            return


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _is_own(folder: Path) -> bool:
    """Whether all file systems that the folder is on, and those mounted below it, are this machine's own."""
    mounted = {Path(one.mountpoint): one.fstype.lower() for one in psutil.disk_partitions(all=True)}
    above = [place for place in mounted if folder.is_relative_to(place)]
    if not above:
        return False
    nearest = max(above, key=lambda place: len(place.parts))
    return all(mounted[place] in _OWN for place in mounted if place == nearest or place.is_relative_to(folder))
