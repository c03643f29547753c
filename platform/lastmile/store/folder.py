"""Listing a folder: every file in it, and a word about whatever is there and cannot be one.

The store's client fails the whole listing for one unreadable folder, one symbolic link in a circle or one name that is
no text, so a single entry could block all others; and it follows links out of the store. Here each costs itself alone,
and a symbolic link is read only where it leads to a file in the store.
Versions are the client's own: inode, microsecond of the last change and size, in hex.
"""

import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lastmile.store.stored_object import StoredObject
from lastmile.store.transfer import is_inside

#: Called with a key and why there is no object of that name; the key of a folder ends with a slash.
Unlisted = Callable[[str, str], None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINK = "a symbolic link to no file of the store, which is not followed: put the file itself there"
_KINDS = {
    stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def list_folder(root: Path, prefix: str, unlisted: Unlisted) -> Iterator[StoredObject]:
    """The files below `prefix` in no order, without those the client is still writing (`name#1`)."""
    above = root
    for name in Path(prefix).parts:
        above /= name
        if above.is_symlink():
            unlisted(f"{above.relative_to(root).as_posix()}/", _LINK)
            return
    waiting = [str(above)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    yield from _file(root, entry, waiting, unlisted)
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            continue
        except OSError as error:
            unlisted(f"{_key(root, folder)}/", _denied(error, "folder", "list"))


def not_a_file(path: Path) -> str | None:
    """What a path is, in words, where it is neither a file nor a folder; it may be a link to one. Raises OSError."""
    return _KINDS.get(stat.S_IFMT(path.stat().st_mode))


def _file(root: Path, entry: os.DirEntry[str], waiting: list[str], unlisted: Unlisted) -> Iterator[StoredObject]:
    """The entry as an object where it is a file; a folder is added to those waiting to be listed."""
    try:
        if entry.is_symlink() and not _leads_inside(root, entry):
            unlisted(_key(root, entry.path), _LINK)
        elif entry.is_dir(follow_symlinks=False):
            waiting.append(entry.path)
        elif not entry.is_file():
            kind = _KINDS.get(stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode), "no file")
            unlisted(_key(root, entry.path), f"{kind}, which is never read: put a file there")
        elif not _is_unfinished(entry.name):
            yield _stored(_key(root, entry.path), entry.stat())
    except FileNotFoundError:
        return
    except OSError as error:
        unlisted(_key(root, entry.path), _denied(error, "file", "inspect"))


def _leads_inside(root: Path, link: os.DirEntry[str]) -> bool:
    try:
        return link.is_file() and is_inside(root, Path(link.path))
    except OSError:  # in a circle, say
        return False


def _stored(key: str, found: os.stat_result) -> StoredObject:
    modified_at = _EPOCH + timedelta(microseconds=found.st_mtime_ns // 1000)
    return StoredObject(key, found.st_size, version(found), modified_at)


def version(found: os.stat_result) -> str:
    """The version of a file."""
    since = max(found.st_mtime_ns // 1000, 0)
    return f"{found.st_ino:x}-{since:x}-{found.st_size:x}"


def _key(root: Path, path: str) -> str:
    return path[len(str(root).rstrip("/")) + 1 :]


def _denied(error: OSError, what: str, action: str) -> str:
    return f"a {what} that we cannot {action}: {error.strerror}; give the platform's user the right to read it"


def _is_unfinished(name: str) -> bool:
    """Whether the name is one that the client gives to a file it is still writing."""
    before, _, number = name.rpartition("#")
    return bool(before) and number.isdigit()
