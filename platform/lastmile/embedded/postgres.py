"""The Postgres that comes along when no other is named: its programs are a wheel's, its data lies under one folder.

    with embedded.started(settings.postgres_folder) as url: ...

It listens on 127.0.0.1 only, requires a password, kept next to the data in a file only its owner reads, and outlives
the process that started it. Starting is safe to repeat, to race and to kill: a half-made cluster is made anew, a
server that died is recovered from its log, and a process that merely inherited its number is left alone. The settings
are given at each start, so a cluster made by an older version has them too. pg_basebackup works on it while it runs.
"""

import fcntl
import logging
import os
import random
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from lastmile.embedded.privileges import Identity, identity_for
from lastmile.errors import UserError
from lastmile.warehouse.programs import program

USER = DATABASE = "lastmile"
#: Below the range from which systems take the ports of outgoing connections, so that a stopped server keeps its port.
PORTS = range(20_000, 32_000)
#: Crash recovery replays up to `max_wal_size`; a small disk takes about a minute for it.
START_SECONDS = 180

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "synchronous_commit": "on",
    # Base backups and log archiving need the whole log. `minimal` lets tables filled in the transaction that makes them
    # skip it: a COPY of 250,000 rows of 25 columns took 1.45 CPU-s then and 1.55 now.
    # `logical` lets the changes of its tables be followed. A row inserted or updated costs what it does with `replica`,
    # one deleted 0.25 microseconds and 25 bytes more.
    "wal_level": "logical",
    "max_wal_senders": "8",
    # Incremental backups need to know which blocks changed.
    "summarize_wal": "on",
    # What archives the log may be away for so long; then its slot is given up rather than the disk filled.
    "max_slot_wal_keep_size": "4GB",
    # Two cores are shared with Dagster, and the shared memory of a container is 64 MB.
    "max_parallel_workers_per_gather": "0",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

log = logging.getLogger(__name__)


def start(folder: Path, seconds: float = START_SECONDS) -> str:
    """Start the server, or attach to the one that runs; its URL. Raises UserError with the server's own last words.

    To recover a cluster from a backup takes longer than the usual `seconds`.
    """
    with _locked(folder):
        return _start(folder.resolve(), seconds)


def expected(folder: Path) -> str:
    """The URL that `start` will give, in a folder that is new as well, where it has no password yet: for what can begin
    without the server."""
    with _locked(folder):
        folder = folder.resolve()
        return running(folder) or f"postgresql://{USER}@127.0.0.1:{_port(folder)}/{DATABASE}"


def stop(folder: Path) -> bool:
    """Stop the server and wait until it is down, clients cut off, commits kept; whether there was one to stop."""
    if not folder.exists():
        return False
    with _locked(folder):
        return _stop(folder.resolve())


def running(folder: Path) -> str | None:
    """URL of the server on this folder, or None when there is none that takes connections."""
    folder = folder.resolve()
    lines = _pid_file(folder)
    if not _alive(folder) or len(lines) < 8 or lines[7] != "ready":
        return None
    return f"postgresql://{USER}:{(folder / 'password').read_text()}@127.0.0.1:{lines[3]}/{DATABASE}"


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """The server's URL; it is stopped at the end only if it did not run at the beginning."""
    with _locked(folder):
        before = running(folder)
        url = before or _start(folder.resolve())
    try:
        yield url
    finally:
        if before is None:
            stop(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UserError(
            f"{folder} cannot hold the embedded Postgres: {error.strerror}."
            " Set LASTMILE_HOME to a folder you can write to."
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _start(folder: Path, seconds: float = START_SECONDS) -> str:
    identity = identity_for(folder, program("postgres"))
    if not (folder / "data").exists():
        _make_cluster(folder, identity)
    if not _alive(folder):
        _forget_stranger(folder)
        _launch(folder, identity, seconds)
    deadline = time.monotonic() + seconds
    while (url := running(folder)) is None:
        if time.monotonic() > deadline or not _alive(folder):
            raise _failed(folder, "did not become ready", _last_words(folder, 0))
        time.sleep(0.1)
    return url


def _stop(folder: Path) -> bool:
    if not _alive(folder):
        return False
    identity = identity_for(folder, program("postgres"))
    done = identity.run([program("pg_ctl"), "stop", "-D", folder / "data", "-m", "fast", "-w", "-t", "60"])
    if done.returncode and _alive(folder):
        raise _failed(folder, "does not stop", done.stderr.strip())
    return True


def _make_cluster(folder: Path, identity: Identity) -> None:
    """Make `data` whole or not at all: it gets its name last."""
    partial = folder / "data.partial"
    shutil.rmtree(partial, ignore_errors=True)
    password = folder / "password"
    password.unlink(missing_ok=True)
    with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(24))
    if identity.uid is not None and identity.gid is not None:
        os.chown(password, identity.uid, identity.gid)
    locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    access = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}"]
    made = identity.run([program("initdb"), "-D", str(partial), *locale, *access])
    if made.returncode == 0:
        alone = ["--single", "-c", "log_min_messages=error", "-D", str(partial), "postgres"]
        made = identity.run([program("postgres"), *alone], f"CREATE DATABASE {DATABASE};\n")
    if made.returncode:
        raise _failed(folder, "could not be made", made.stderr.strip())
    partial.rename(folder / "data")


def _launch(folder: Path, identity: Identity, seconds: float) -> None:
    """Run pg_ctl until the server is up: again when its port was just lost, or a dead server's children still work."""
    deadline = time.monotonic() + 20
    while True:
        seen = _log_size(folder)
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        options += f" -p {_port(folder)}"
        where = ["-D", str(folder / "data"), "-l", str(folder / "server.log"), "-w", "-t", f"{seconds:.0f}"]
        if identity.run([program("pg_ctl"), "start", *where, "-o", options]).returncode == 0:
            return
        words = _last_words(folder, seen)
        orphaned = "shared memory block" in words and "still in use" in words
        if not (orphaned or "Address already in use" in words) or time.monotonic() > deadline:
            raise _failed(folder, "does not start", words)
        if orphaned:
            _end_orphans(folder)
        time.sleep(0.5)


def _port(folder: Path) -> int:
    """The folder's own port, chosen once, and chosen again when another program uses it meanwhile."""
    file = folder / "port"
    own = int(file.read_text()) if file.exists() else None
    if own is not None and port_is_free(own):
        return own
    free = next((port for port in random.sample(PORTS, 200) if port_is_free(port)), None)
    if free is None:
        raise UserError(f"no free port between {PORTS.start} and {PORTS.stop} on 127.0.0.1 for the embedded Postgres")
    if own is not None:
        log.warning("port %s is in use by another program: the embedded Postgres moves to port %s", own, free)
    file.write_text(str(free))
    return free


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Postgres does; ports in TIME_WAIT are free
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def _pid_file(folder: Path) -> list[str]:
    """Lines of postmaster.pid: pid, data folder, start time, port, socket folder, address, memory key, status."""
    try:
        return [line.strip() for line in (folder / "data" / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def _alive(folder: Path) -> bool:
    """Whether the process that the pid file names is this folder's server, not one that got its number later."""
    lines = _pid_file(folder)
    if not lines:
        return False
    try:
        return str(folder / "data") in psutil.Process(int(lines[0])).cmdline()
    except (ValueError, psutil.Error):
        return False


def _forget_stranger(folder: Path) -> None:
    """Drop the pid file of a dead server: Postgres itself would mistake any living process of that number for it.

    A dead server's children are still found without it, by the shared memory they hold.
    """
    (folder / "data" / "postmaster.pid").unlink(missing_ok=True)


def _end_orphans(folder: Path) -> None:
    """Signal what a dead server left at work to quit, as Postgres itself does with its children when one crashed."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name().startswith("postgres") and process.cwd() == str(folder / "data"):
                process.send_signal(signal.SIGQUIT)


def _log_size(folder: Path) -> int:
    file = folder / "server.log"
    return file.stat().st_size if file.exists() else 0


def _last_words(folder: Path, start: int) -> str:
    """What the server logged from byte `start` on, at most its last 2,000 bytes."""
    file = folder / "server.log"
    return file.read_bytes()[start:][-2000:].decode(errors="replace") if file.exists() else ""


def _failed(folder: Path, what: str, words: str) -> UserError:
    lines = [line for line in words.splitlines() if line.strip()]
    relevant = next((line for line in lines if "FATAL" in line or "PANIC" in line or "error" in line), "")
    return UserError(
        f"the embedded Postgres {what}: {relevant or ' '.join(lines[-1:]) or 'it logged nothing'}."
        f" Its log is {folder / 'server.log'}."
    )
