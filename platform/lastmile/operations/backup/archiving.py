"""The archiver: `python -m` this module streams the log of the embedded Postgres to the store of backups.

pg_receivewal keeps the log in a spool on this disk the moment it is written; from there whole segments are uploaded,
and the end of the log every few seconds. The server never waits for it: while the store is away the spool grows to its
limit, then the server keeps the log for it to its own (`max_slot_wal_keep_size`); after that a gap remains, which is
recorded, and moments from the next backup on can be restored again. New objects are copied meanwhile.
"""

import logging
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import psycopg

from lastmile import telemetry
from lastmile.errors import UserError
from lastmile.operations.backup import log as archive
from lastmile.operations.backup.history import objects_alone, record_archive
from lastmile.operations.backup.repository import Repository, open_repository, silent
from lastmile.operations.backup.slot import SLOT, ensure_slot, received
from lastmile.operations.backup.snapshots import take
from lastmile.settings import Settings
from lastmile.settings.backup import BackupSettings
from lastmile.settings.group import load
from lastmile.settings.start import check_at_start
from lastmile.store import open_store
from lastmile.telemetry.spans import span
from lastmile.warehouse.connections import connect, database_url, libpq_environment
from lastmile.warehouse.programs import program

_STEP_SECONDS = 0.5
#: How often it is recorded in the database how far the log is archived, where nothing changes.
_RECORD_SECONDS = 60.0
_GAP = "the server gave up the log that was not archived: moments until the next backup cannot be restored"

logger = logging.getLogger(__name__)


@dataclass
class Archiver:
    """Receives and uploads. `spool` is a folder of its own."""

    url: str
    repository: Repository
    spool: Path
    spool_bytes: int
    log_seconds: float
    objects_at: datetime | None = None
    problem: str | None = None
    _receiver: "subprocess.Popen[bytes] | None" = None
    _uploaded: set[str] = field(default_factory=set)
    _ends: dict[str, str] = field(default_factory=dict)
    _end_state: tuple[str, int] = ("", 0)
    _end_due: float = 0.0
    _record_due: float = 0.0
    _recorded: str | None = None

    def begin(self) -> None:
        """Learn what is archived already. Raises UserError where the store is away."""
        self.spool.mkdir(parents=True, exist_ok=True)
        there = archive.archived(self.repository)
        self._uploaded = {*there.segments, *there.histories}
        self._ends = dict(there.ends)

    def step(self) -> None:
        """Receive, upload what is due, and record how it stands."""
        problem = None
        try:
            self._receive()
            self._upload()
        except (UserError, psycopg.Error) as error:
            problem = str(error).splitlines()[0]
            time.sleep(_STEP_SECONDS)
        self.problem = problem
        if problem != self._recorded or time.monotonic() > self._record_due:
            self._record(problem)

    def finish(self) -> None:
        """Upload the end of the log once more, and stop."""
        self._end_due = 0.0
        with suppress(UserError, psycopg.Error):
            self._upload()
        self._stop_receiving()

    def _receive(self) -> None:
        if self._spooled() > self.spool_bytes:
            self._stop_receiving()
            raise UserError(f"{self.spool} is full ({self.spool_bytes >> 20} MB): the server keeps the log meanwhile")
        if self._receiver is not None and self._receiver.poll() is None:
            return
        with connect(self.url) as connection:
            lost = ensure_slot(connection)
        if lost:
            for file in self.spool.iterdir():
                file.unlink()
            logger.error(_GAP)
        options = [f"--directory={self.spool}", f"--slot={SLOT}", "--no-loop", "--status-interval=1"]
        environment = {**libpq_environment(self.url), "PGAPPNAME": SLOT, "LC_ALL": "C"}
        self._receiver = subprocess.Popen(
            [program("pg_receivewal"), *options], env=environment, stdin=subprocess.DEVNULL
        )
        if lost:
            raise UserError(_GAP)

    def _stop_receiving(self) -> None:
        if self._receiver is not None and self._receiver.poll() is None:
            self._receiver.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._receiver.wait(5)
        self._receiver = None

    def _upload(self) -> None:
        ends = []
        for file in sorted(self.spool.iterdir()):
            if file.name.endswith(archive.PARTIAL):
                ends.append(file)
            elif len(file.name) >= 16:
                self._upload_whole(file)
        if ends and time.monotonic() >= self._end_due:
            self._upload_end(ends[-1])

    def _upload_whole(self, file: Path) -> None:
        with span("backup.log", segment=file.name) as done:
            if file.name not in self._uploaded:
                archive.upload(self.repository, file, file.name)
                self._uploaded.add(file.name)
            done(bytes=file.stat().st_size)
        file.unlink()
        if (end := self._ends.pop(file.name, None)) is not None:
            self.repository.delete(end)

    def _upload_end(self, file: Path) -> None:
        """The segment that is being written, where it has grown since it was last uploaded."""
        try:
            state = (file.name, file.stat().st_mtime_ns)
            if state == self._end_state:
                return
            key = archive.upload(self.repository, file, file.name)
        except FileNotFoundError:  # it is whole by now
            return
        segment = file.name.removesuffix(archive.PARTIAL)
        before, self._ends[segment] = self._ends.get(segment), key
        if before not in (None, key):
            self.repository.delete(str(before))
        self._end_state, self._end_due = state, time.monotonic() + self.log_seconds

    def _record(self, problem: str | None) -> None:
        if problem != self._recorded:
            logger.warning("%s", problem or "the log is archived again")
        try:
            with connect(self.url) as connection:
                record_archive(connection, received(connection), self.objects_at, self._spooled(), problem)
        except (UserError, psycopg.Error):
            return
        self._recorded, self._record_due = problem, time.monotonic() + _RECORD_SECONDS

    def _spooled(self) -> int:
        total = 0
        for file in self.spool.iterdir():
            with suppress(FileNotFoundError):
                total += file.stat().st_size
        return total


def _copy_objects(settings: Settings, archiver: Archiver, seconds: float, stopped: threading.Event) -> None:
    """Copy new objects again and again."""
    store = open_store(settings)
    while not stopped.wait(seconds):
        try:
            with connect(archiver.url) as connection, objects_alone(connection), span("backup.objects") as done:
                copied = take(archiver.repository, store, memory_of(settings), silent)
                if copied:
                    done(objects=copied.uploaded, bytes=copied.uploaded_bytes)
            archiver.objects_at = datetime.now().astimezone()
        except (UserError, psycopg.Error, OSError) as error:
            logger.warning("objects are not copied: %s", error)


def memory_of(settings: Settings) -> Path:
    """The file that says what was copied before."""
    return settings.home / "backup" / "objects.gz"


def _main() -> int:
    check_at_start()
    telemetry.start("archiver")
    settings, backup = Settings.from_environment(), load(BackupSettings)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    signal.signal(signal.SIGINT, lambda *_: stopped.set())
    repository = open_repository(settings, backup)
    archiver = Archiver(
        database_url(settings), repository, settings.home / "backup" / "spool", backup.spool_megabytes << 20,
        backup.log_seconds,
    )  # fmt: skip
    while not stopped.is_set():
        try:
            archiver.begin()
            break
        except UserError as error:
            logger.warning("%s", error)
            stopped.wait(backup.log_seconds)
    objects = threading.Thread(
        target=_copy_objects, args=(settings, archiver, backup.objects_seconds, stopped), daemon=True
    )
    objects.start()
    while not stopped.is_set():
        archiver.step()
        stopped.wait(_STEP_SECONDS)
    archiver.finish()
    return 0


if __name__ == "__main__":
    sys.exit(_main())
