"""Full and incremental backups of the running cluster by pg_basebackup, streamed into parts: no copy lies on this disk.

Each holds the log that was written while it was made, so it can be restored without the archived log, to its own end.
"""

import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from psycopg import Connection

from lastmile.errors import UserError
from lastmile.operations.backup.manifest import CHECKSUMS, NAME
from lastmile.operations.backup.parts import write
from lastmile.operations.backup.repository import Progress, Repository
from lastmile.operations.backup.slot import ensure_slot
from lastmile.warehouse.connections import connect, libpq_environment
from lastmile.warehouse.programs import program

_BLOCK = 2**20


@dataclass(frozen=True)
class Streamed:
    """What pg_basebackup gave: the parts, its own manifest, and where in the log."""

    parts: tuple[str, ...]
    size: int
    manifest: bytes
    timeline: int
    start: str
    end: str
    system: str


class NoSummaries(Exception):
    """The server does not know any more, or not yet, what has changed since the earlier backup."""


def take(repository: Repository, url: str, name: str, earlier: bytes | None, progress: Progress) -> Streamed:
    """Back the cluster up; with the manifest of an `earlier` backup, only what has changed since.

    Raises NoSummaries where that is not known, UserError where the server or the store fails.
    """
    with connect(url) as connection, _log_kept(connection), tempfile.TemporaryDirectory() as folder:
        options = ["-D", "-", "-Ft", "-X", "fetch", "-c", "fast", "-l", "lastmile", CHECKSUMS]
        command = [str(program("pg_basebackup")), *options]
        if earlier is not None:
            (Path(folder) / "manifest").write_bytes(earlier)
            command.append(f"--incremental={folder}/manifest")
        total = None if earlier is not None else _size(connection)
        with tempfile.TemporaryFile() as said:
            with subprocess.Popen(command, env=_environment(url), stdout=subprocess.PIPE, stderr=said) as process:
                try:
                    tar = _Tar(process.stdout, progress, total)  # type: ignore[arg-type]
                    parts = write(repository, f"{name}/part", tar.blocks())
                except BaseException:
                    process.kill()
                    raise
            if process.returncode:
                said.seek(0)
                _fail(said.read().decode(errors="replace"))
    found = json.loads(tar.manifest)
    span = found["WAL-Ranges"][-1]
    return Streamed(
        tuple(parts), tar.count, bytes(tar.manifest), span["Timeline"], span["Start-LSN"], span["End-LSN"],
        str(found["System-Identifier"]),
    )  # fmt: skip


class _Tar:
    """Passes a tar file on while it looks for the manifest in it."""

    def __init__(self, source: IO[bytes], progress: Progress, total: int | None) -> None:
        self._source, self._progress, self._total = source, progress, total
        self._passed: list[bytes] = []
        self.count, self.manifest = 0, b""

    def read(self, size: int) -> bytes:
        block = self._source.read(size)
        self._passed.append(block)
        self.count += len(block)
        return block

    def blocks(self) -> Iterator[bytes]:
        try:
            with tarfile.open(fileobj=self, mode="r|", bufsize=_BLOCK) as tar:  # type: ignore[call-overload]
                for member in tar:
                    if member.name == NAME and (file := tar.extractfile(member)):
                        self.manifest = file.read()
                    tar.members = []  # else it remembers each file
                    yield from self._passed_on()
        except tarfile.ReadError:  # the program failed, and says why
            pass
        while self.read(_BLOCK):
            yield from self._passed_on()
        yield from self._passed_on()

    def _passed_on(self) -> Iterator[bytes]:
        blocks, self._passed = self._passed, []
        yield from blocks
        self._progress("database", self.count, self._total)


def system_of(connection: Connection) -> str:
    """The identity that a cluster keeps for life; a restored one has that of the original."""
    ((system,),) = connection.execute("SELECT system_identifier::text FROM pg_control_system()").fetchall()
    return str(system)


@contextmanager
def _log_kept(connection: Connection) -> Iterator[None]:
    """Meanwhile the server removes no log that the backup needs; the slot goes with the session."""
    ensure_slot(connection)  # from the first backup on the archiver finds the log without a gap
    name = f"backup_{connection.info.backend_pid}"
    connection.execute("SELECT pg_create_physical_replication_slot(%s, true, true)", [name])
    yield
    connection.execute("SELECT pg_drop_replication_slot(%s)", [name])


def _size(connection: Connection) -> int:
    ((size,),) = connection.execute("SELECT sum(pg_database_size(oid)) FROM pg_database").fetchall()
    return int(size)


def _environment(url: str) -> dict[str, Any]:
    return {**libpq_environment(url), "PGAPPNAME": "lastmile backup", "LC_ALL": "C"}


def _fail(words: str) -> None:
    if "WAL summar" in words or ("manifest" in words and "system identifier" in words):
        raise NoSummaries(words)
    lines = [line for line in words.splitlines() if "error" in line.lower()] or words.splitlines()
    raise UserError(f"pg_basebackup failed: {lines[0] if lines else 'it said nothing'}")
