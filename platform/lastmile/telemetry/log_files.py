"""Files of log lines that many processes append to, bounded in size and number.

A line is one write at the end of the file, which the system does whole. Who finds the file full renames it, under a
lock; the others notice that the name is another file's by now, and go on with that.
"""

import fcntl
import logging
import os
import shutil
from pathlib import Path

#: Of one file, and how many full ones are kept of each name.
MOST_BYTES, KEPT = 20 * 2**20, 4


class SharedFile(logging.Handler):
    """Appends to a file, made when the first line comes. A disk that refuses costs lines, never the work."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> None:
        super().__init__()
        self._path, self._most, self._kept = path, most_bytes, kept
        self._file: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="replace")
            os.write(self._opened(len(line)), line)
        except Exception:
            return  # to log that would go on for ever

    def close(self) -> None:
        self._close()
        super().close()

    def _opened(self, more: int) -> int:
        """The file with this name that has room for so much more."""
        if self._file is not None and not _is(self._path, self._file):
            self._close()
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if os.fstat(self._file).st_size + more > self._most:
            rotate(self._path, self._most - more, self._kept)
            self._close()
            return self._opened(0)
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def rotate(path: Path, most_bytes: int, kept: int = KEPT) -> None:
    """Rename the file where it is larger, `a.jsonl` to `a.1.jsonl` and so on; the oldest is gone."""
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() or path.stat().st_size <= most_bytes:
            return  # another process was first
        names = [path, *(path.with_suffix(f".{number}{path.suffix}") for number in range(1, kept + 1))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if newer.exists():
                newer.replace(older)


def cut(path: Path, most_bytes: int = MOST_BYTES) -> None:
    """Keep what a process prints from filling the disk: a full file is copied to `a.1.log` and emptied. It was opened to
    append to by whoever started the process, who has no part in its writing."""
    if path.exists() and path.stat().st_size > most_bytes:
        shutil.copyfile(path, path.with_suffix(f".1{path.suffix}"))
        os.truncate(path, 0)


def all_of(folder: Path) -> list[Path]:
    """Every file of log lines there, older ones of a name first."""

    def age(file: Path) -> tuple[str, int]:
        name, _, number = file.stem.partition(".")
        return name, -int(number or 0)

    return sorted(folder.glob("*.jsonl"), key=age)


def _is(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
