"""What backups cost: time and bytes of a full and an incremental one, the log, the intake meanwhile, and a restore.

    python -m benchmarks.backup --megabytes 1024
    python -m benchmarks.backup --losses 10   # only what is lost, each time the machine is lost at a random moment

On a home of its own under the temporary folder, to a folder, encrypted. Times are of the clock; the CPU seconds next to
them are of this process and its children.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import psycopg
import pyrage

from lastmile.embedded import postgres
from lastmile.embedded.restore import restore, target_settings
from lastmile.operations.backup.catalogue import backups
from lastmile.operations.backup.repository import Repository, open_repository, silent
from lastmile.operations.backup.routine import back_up
from lastmile.settings import Settings
from lastmile.settings.backup import BackupSettings
from lastmile.store import open_store
from lastmile.warehouse.migrate import migrate

#: Rows of survey-like width: 25 columns of numbers and short texts, about 300 bytes.
FILL = """
INSERT INTO raw.filled SELECT n, 'household_' || n, (random() * 1e6)::numeric(12, 2), random(), random(), md5(n::text),
    md5((n * 7)::text), repeat(chr(97 + (n %% 26)::int), 60), now() FROM generate_series(%s::bigint, %s::bigint) n
"""
ROWS_PER_MEGABYTE = 3_700


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--losses", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lastmile-backup-") as folder:
        if options.losses:
            lose(Path(folder), options.losses)
        else:
            measure(Path(folder), options.megabytes)


def installed(folder: Path, home: Path) -> tuple[Settings, BackupSettings]:
    """An installation in the home, its backups next to it, encrypted."""
    key = pyrage.x25519.Identity.generate()
    (folder / "key").write_text(str(key))
    store = (home / "store").as_uri()
    settings = replace(Settings.from_environment(), home=home, given_database_url=None, store_url=store)
    return settings, BackupSettings((folder / "backups").as_uri(), (str(key.to_public()),), folder / "key")


def measure(folder: Path, megabytes: int) -> None:
    settings, backup = installed(folder, folder / "home")
    repository, store = open_repository(settings, backup), open_store(settings)
    with postgres.started(settings.postgres_folder) as url:
        migrate(url)
        rows = megabytes * ROWS_PER_MEGABYTE
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE raw.filled"
                " (n bigint, name text, amount numeric, a float, b float, c text, d text, e text, at timestamptz)"
            )
            with timed("fill, without an archiver", rows):
                connection.execute(FILL, [1, rows])
            with timed("full backup"):
                made = back_up(settings, backup, repository, store, url, "full").backup
            print(f"  {made.bytes / 1e6:,.0f} MB, stored as {made.stored_bytes / 1e6:,.0f} MB")
            connection.execute("UPDATE raw.filled SET a = 0 WHERE n %% 50 = 0 AND n < %s", [rows // 2])
            with timed("incremental backup, after updates in half of the pages"):
                made = back_up(settings, backup, repository, store, url).backup
            print(f"  {made.bytes / 1e6:,.0f} MB, stored as {made.stored_bytes / 1e6:,.0f} MB")
            part = rows // 8
            for name, archived in (("without", False), ("with", True), ("without", False), ("with", True)):
                with archiver(settings, backup, url) if archived else nothing():
                    connection.execute("TRUNCATE raw.filled")
                    with timed(f"fill {name} an archiver", part):
                        connection.execute(FILL, [1, part])
                    if archived:
                        since = time.perf_counter()
                        wait_until_received(connection)
                        print(f"  received {time.perf_counter() - since:.1f} s later")
    size = sum(file.stat().st_size for file in (folder / "backups" / "log").rglob("*") if file.is_file())
    print(f"log: stored as {size / 1e6:,.0f} MB")
    restored(settings, repository, folder)


def restored(settings: Settings, repository: Repository, folder: Path) -> None:
    full, *_, last = backups(repository)
    for name, chosen in (("full, all of the log", full), ("incremental, the log after it", last)):
        target = target_settings(settings, folder / f"again-{chosen.id}", None)
        with timed(f"restore: {name}"):
            made = restore(target, repository, chosen, None, "then", silent)
        print(f"  {made.bytes / 1e6:,.0f} MB and {made.segments} segments of the log")


def lose(folder: Path, times: int) -> None:
    """A row is committed every 20 ms; archiver and Postgres are killed, the home removed; how much is not restored?"""
    seconds = []
    for number in range(times):
        here = folder / str(number)
        here.mkdir()
        seconds.append(_lost(here, 10 + random.Random(number).uniform(0, 20)))  # noqa: S311 - no secret
        print(f"loss {number + 1}: the last {seconds[-1]:.1f} s of commits", flush=True)
        shutil.rmtree(here)
    print(f"lost: median {median(seconds):.1f} s, at most {max(seconds):.1f} s of {times}")


def _lost(folder: Path, after: float) -> float:
    settings, backup = installed(folder, folder / "home")
    repository, store = open_repository(settings, backup), open_store(settings)
    with postgres.started(settings.postgres_folder) as url:
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE raw.moments (at timestamptz)")
            back_up(settings, backup, repository, store, url, "full")
            with archiver(settings, backup, url, signal.SIGKILL):
                ends, last = time.monotonic() + after, None
                while time.monotonic() < ends:
                    last = connection.execute("INSERT INTO raw.moments VALUES (now()) RETURNING at").fetchone()
                    time.sleep(0.02)
        server = int(next(settings.postgres_folder.rglob("postmaster.pid")).read_text().splitlines()[0])
        os.kill(server, signal.SIGKILL)
    shutil.rmtree(settings.home)
    target = target_settings(settings, folder / "again", None)
    restore(target, repository, backups(repository)[-1], None, "then", silent)
    with postgres.started(target.postgres_folder) as url, psycopg.connect(url) as connection:
        ((there,),) = connection.execute("SELECT max(at) FROM raw.moments").fetchall()
    if last is None:
        raise ValueError("nothing was committed before the loss")
    return float((last[0] - there).total_seconds())


@contextmanager
def timed(what: str, rows: int = 0) -> Iterator[None]:
    before, since = _cpu(), time.perf_counter()
    yield
    seconds = time.perf_counter() - since
    speed = f", {rows / seconds:,.0f} rows/s" if rows else ""
    print(f"{what}: {seconds:.1f} s, {_cpu() - before:.1f} CPU-s of ours{speed}", flush=True)


@contextmanager
def nothing() -> Iterator[None]:
    yield


@contextmanager
def archiver(
    settings: Settings, backup: BackupSettings, url: str, ended_by: signal.Signals = signal.SIGTERM
) -> Iterator[None]:
    environment = {
        **os.environ,
        "LASTMILE_HOME": str(settings.home),
        "LASTMILE_STORE_URL": settings.store_url,
        "LASTMILE_DATABASE_URL": url,
        "LASTMILE_BACKUP_URL": str(backup.url),
        "LASTMILE_BACKUP_RECIPIENTS": ",".join(backup.recipients),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "lastmile.operations.backup.archiving"], env=environment, start_new_session=True
    )
    time.sleep(5)
    before = _cpu()
    try:
        yield
    finally:
        os.killpg(process.pid, ended_by)
        process.wait()
    print(f"  the archiver: {_cpu() - before:.1f} CPU-s")


def wait_until_received(connection: psycopg.Connection) -> None:
    ((place,),) = connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchall()
    query = "SELECT FROM pg_stat_replication WHERE application_name = 'lastmile_archive' AND write_lsn >= %s"
    while not connection.execute(query, [place]).rowcount:
        time.sleep(0.1)


def _cpu() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    main()
