"""A cluster laid out from backups, ready to be started: its files, and the archived log that is replayed on them.

The log is fetched while the server replays it, in order; the server waits for each segment, and ends where the archive
does, or at the wanted time.
"""

import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lastmile.errors import UserError
from lastmile.operations.backup import log as archive
from lastmile.operations.backup.catalogue import Backup
from lastmile.operations.backup.manifest import CHECKSUMS, expect_as_in_manifest
from lastmile.operations.backup.parts import as_file, read
from lastmile.operations.backup.repository import Progress, Repository
from lastmile.warehouse.programs import program

_AHEAD = 4
_ENDED = ".ended"
#: What the server says where the log ends before the wanted time.
ENDED_EARLY = "recovery ended before configured recovery target was reached"


def lay_out(repository: Repository, wanted: Sequence[Backup], folder: Path, progress: Progress) -> None:
    """Make `folder/data` from a chain of backups, the full one first; verified file by file.

    Raises UserError naming what is damaged or lost.
    """
    total, done = sum(one.bytes for one in wanted), 0
    data, earlier = folder / "data", folder / "chain"
    shutil.rmtree(earlier, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    places = [data] if len(wanted) == 1 else [earlier / one.id for one in wanted]
    for one, place in zip(wanted, places, strict=True):
        place.mkdir(parents=True)
        done = _extract(repository, one, place, progress, done, total)
    if len(wanted) > 1:
        progress("combining", 0, None)
        _run("pg_combinebackup", "--link", "--no-sync", CHECKSUMS, *places, "-o", data)
        shutil.rmtree(earlier)
    progress("verifying", 0, None)
    expect_as_in_manifest(data)
    data.chmod(0o700)


def follow_log(data: Path, log: Path, to: datetime | None) -> None:
    """Let the server replay the log that comes into the folder `log`, to that time, or as far as it goes."""
    (data / "recovery.signal").touch()
    wait = f'while [ ! -e "{log}/%f" ] && [ ! -e "{log}/{_ENDED}" ]; do sleep 0.05; done; cp "{log}/%f" "%p"'
    lines = {"restore_command": wait, "hot_standby": "off", "recovery_target_action": "promote"}
    if to is not None:
        lines["recovery_target_time"] = f"{to.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in lines.items())


def forget_log(data: Path) -> None:
    """What `follow_log` has set goes again."""
    file = data / "postgresql.auto.conf"
    names = ("restore_command", "hot_standby", "recovery_target")
    file.write_text("".join(line for line in file.read_text().splitlines(True) if not line.startswith(names)))
    (data / "recovery.signal").unlink(missing_ok=True)


@dataclass
class Fetching:
    """The log on its way into a folder; `error` is what stopped it."""

    segments: int = 0
    error: UserError | None = None


@contextmanager
def fetched(repository: Repository, backup: Backup, log: Path, progress: Progress) -> Iterator[Fetching]:
    """Fetch the log from the backup on into a folder, while the context lasts.

    Raises UserError at once where a segment is missing.
    """
    first = archive.segment_after(backup.timeline, backup.end)
    there = archive.archived(repository)
    log.mkdir(parents=True, exist_ok=True)
    for name, key in there.histories.items():
        _put(log, name, repository.read(key))
    names, state, stopped = _without_gaps(there, first), Fetching(), threading.Event()

    def fetch() -> None:
        try:
            with ThreadPoolExecutor(_AHEAD, thread_name_prefix="log") as pool:
                for done, name in enumerate(pool.map(one, names), 1):
                    state.segments += name is not None
                    progress("log", done * archive.SEGMENT_BYTES, len(names) * archive.SEGMENT_BYTES)
        except UserError as error:
            state.error = error
        finally:
            (log / _ENDED).touch()

    def one(name: str) -> str | None:
        if stopped.is_set():
            return None
        _put(log, name, repository.read(there.key(name)))
        return name

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        stopped.set()
        (log / _ENDED).touch()
        thread.join()
    shutil.rmtree(log)


def reach(repository: Repository, backup: Backup) -> datetime | None:
    """Until when the archived log goes from this backup on without a gap: when its last segment was stored."""
    there = archive.archived(repository)
    names = _without_gaps(there, archive.segment_after(backup.timeline, backup.end))
    return there.until if names else None


def home_files(repository: Repository, backup: Backup) -> dict[str, str]:
    """Files of the home that belong to the backup, by name."""
    return dict(json.loads(repository.read(backup.home))) if backup.home else {}


def _without_gaps(there: archive.Archived, first: str) -> list[str]:
    """Segments to replay, from that one on to the first that is missing."""
    gaps = there.gaps(first)
    names = there.from_segment(first)
    if not gaps:
        return names
    limit = archive.number_of(gaps[0])
    return [name for name in names if archive.number_of(name) < limit]


def _extract(repository: Repository, backup: Backup, place: Path, progress: Progress, done: int, total: int) -> int:
    def blocks() -> Iterator[bytes]:
        nonlocal done
        for block in read(repository, backup.parts):
            yield block
            done += len(block)
            progress("database", done, total)

    with tarfile.open(fileobj=as_file(blocks()), mode="r|", bufsize=2**20) as tar:
        tar.extractall(place, filter="data")
    return done


def _put(log: Path, name: str, data: bytes) -> None:
    """The server sees it whole or not at all."""
    partial = log / f".{name}"
    partial.write_bytes(data)
    partial.chmod(0o644)
    partial.rename(log / name)


def _run(name: str, *arguments: str | Path) -> None:
    done = subprocess.run([program(name), *arguments], capture_output=True, text=True, env={"LC_ALL": "C"}, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        raise UserError(f"the backup is not whole: {name}: {lines[0] if lines else 'failed'}; restore an earlier one")
