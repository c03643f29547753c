"""Counts of processes that are not scraped: in mapped files of the home, which the exporter adds up.

A worker lives for seconds and there are hundreds a day, so files are not named by process number. Each process holds a
*slot*: the lowest number that no living process of its kind holds. It goes on counting in the slot's files where the
one before it stopped, however that ended, so nothing is lost, counters never fall, and there are never more files than
processes were at work at once.
"""

import fcntl
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lastmile.settings import Settings
from lastmile.telemetry.spans import listen

if TYPE_CHECKING:
    from prometheus_client import Metric

#: prometheus_client's own.
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_KINDS = ("counter", "histogram")
#: Written when a slot is new. A mapped file with holes would end the process that finds the disk full.
_RESERVED_BYTES = 2 * 2**20
#: How a file that is not what was written shows when it is read.
_BROKEN = (OSError, RuntimeError, ValueError, struct.error, IndexError)


def folder(home: Path) -> Path:
    """Where the processes of a home count."""
    return home / "metrics"


def start(process: str) -> None:
    """From here on this process, of that kind, such as `run`, counts its spans. Where it cannot, it works uncounted."""
    place = folder(Settings.from_environment().home)
    with suppress(OSError):  # a full or read-only disk is no reason not to work
        place.mkdir(parents=True, exist_ok=True)
        listen(_counted(place, process))


def added_up(place: Path) -> "Iterator[Metric]":
    """The metrics of all processes there are and were. A file that a crash of the machine cut short is left out."""
    files = sorted(place.glob("*.db"))
    try:
        yield from _merged(files)
    except _BROKEN:
        yield from _merged(file for file in files if _is_whole(file))


def _merged(files: "Iterable[Path]") -> "Iterable[Metric]":
    from prometheus_client.multiprocess import MultiProcessCollector

    merge: Callable[..., Iterable[Metric]] = MultiProcessCollector.merge
    return merge(map(str, files), accumulate=True)


def slots(place: Path, process: str) -> Callable[[], str]:
    """Names the slot of the calling process; one that was forked from it has another."""
    held: dict[int, tuple[str, int]] = {}

    def slot() -> str:
        pid = os.getpid()
        if pid not in held:
            held[pid] = _claim(place, process)
        return held[pid][0]

    slot()
    return slot


def _counted(place: Path, process: str) -> Any:
    from prometheus_client import values

    from lastmile.telemetry.metrics import Work

    os.environ[_FOLDER] = str(place)
    values.ValueClass = values.MultiProcessValue(slots(place, process))  # type: ignore[no-untyped-call]
    return Work(None)


def _claim(place: Path, process: str) -> tuple[str, int]:
    """The lowest free slot, held until the process has ended; its files are there and whole."""
    for number in count():
        name = f"{process}-{number}"
        lock = os.open(place / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        for kind in _KINDS:
            _make(place / f"{kind}_{name}.db")
        return name, lock
    raise AssertionError  # numbers have no end


def _make(file: Path) -> None:
    if not _is_whole(file):
        partial = file.with_suffix(".partial")
        partial.write_bytes(bytes(_RESERVED_BYTES))
        partial.replace(file)


def _is_whole(file: Path) -> bool:
    """Whether it can be read to its end."""
    from prometheus_client.mmap_dict import MmapedDict

    try:
        list(MmapedDict.read_all_values_from_file(str(file)))  # type: ignore[no-untyped-call]
    except _BROKEN:
        return False
    return True
