"""A home with its own cluster, a small dataset loaded by hand, and backups of it: what these tests work on."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pyrage
from visits import VISITS, Site

from lastmile.embedded import postgres
from lastmile.embedded.restore import Objects, Restored, restore, target_settings
from lastmile.operations.backup.catalogue import backups, find, newest_before
from lastmile.operations.backup.repository import Repository, open_repository
from lastmile.operations.backup.routine import Made, Wanted, back_up
from lastmile.settings import Settings
from lastmile.settings.backup import BackupSettings
from lastmile.store import open_store
from lastmile.warehouse.migrate import migrate
from lastmile.warehouse.tables import ensure_table

ARCHIVER = "lastmile.operations.backup.archiving"


@dataclass
class Installed:
    """One home, and where its backups are."""

    settings: Settings
    backup: BackupSettings
    url: str
    site: Site

    @property
    def repository(self) -> Repository:
        return open_repository(self.settings, self.backup)

    def load(self, *visits: str) -> None:
        """A drop for each visit, discovered and ingested."""
        for visit in visits:
            self.site.put_rows(f"{visit}.csv", f"{visit},3,2.5,1,done")
        self.site.discover()
        self.site.take()

    def back_up(self, kind: Wanted = "auto") -> Made:
        return back_up(self.settings, self.backup, self.repository, self.site.store, self.url, kind)

    def now(self) -> datetime:
        """A moment between what was committed before and what is after."""
        time.sleep(0.05)
        ((now,),) = self.site.connection.execute("SELECT clock_timestamp()").fetchall()
        time.sleep(0.05)
        return now.astimezone(UTC)

    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("LASTMILE_", "PG"))},
            "LASTMILE_HOME": str(self.settings.home),
            "LASTMILE_STORE_URL": self.settings.store_url,
            "LASTMILE_DATABASE_URL": self.url,
            "LASTMILE_BACKUP_URL": str(self.backup.url),
            "LASTMILE_BACKUP_RECIPIENTS": ",".join(self.backup.recipients),
            "LASTMILE_BACKUP_LOG_SECONDS": "1",
            "LASTMILE_BACKUP_OBJECTS_SECONDS": "1",
        }

    def start_archiver(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-m", ARCHIVER], env=self.environment(), start_new_session=True)

    @contextmanager
    def archiving(self) -> Iterator[None]:
        """The archiver at work; at the end all that was committed is archived."""
        process = self.start_archiver()
        try:
            yield
            self.wait_until_received()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            kill(process)

    def wait_until_received(self, seconds: float = 90) -> None:
        """Until the archiver has received the log up to now."""
        ((place,),) = self.site.connection.execute("SELECT pg_current_wal_flush_lsn()::text").fetchall()
        query = (
            "SELECT count(*) FROM pg_stat_replication WHERE application_name = 'lastmile_archive' AND write_lsn >= %s"
        )
        wait_for(lambda: self.site.connection.execute(query, [place]).fetchall() == [(1,)], seconds)

    def destroy(self) -> None:
        """Cluster and objects are gone, as with the machine's disk."""
        self.site.connection.close()
        postgres.stop(self.settings.postgres_folder)
        subprocess.run(["rm", "-rf", self.settings.home], check=True)

    def restored(
        self, home: Path, to: datetime | None = None, objects: Objects = "then", backup: str | None = None
    ) -> "Again":
        """A new home from the backups."""
        known = backups(self.repository)
        chosen = find(known, backup) if backup else newest_before(known, to)
        target = target_settings(self.settings, home, None)
        return Again(target, restore(target, self.repository, chosen, to, objects))


@dataclass
class Again:
    """A restored home."""

    settings: Settings
    made: Restored

    @contextmanager
    def up(self) -> Iterator[Site]:
        folder = self.settings.postgres_folder
        with postgres.started(folder) as url, psycopg.connect(url, autocommit=True) as connection:
            yield Site(open_store(self.settings), connection, url)

    def visits(self) -> list[str]:
        with self.up() as site:
            return site.visits()


@contextmanager
def installation(folder: Path, **backup: Any) -> Iterator[Installed]:
    """A migrated home in `folder/home` whose backups go to `folder/backups`, encrypted to a key of its own."""
    key = pyrage.x25519.Identity.generate()
    (folder / "key").write_text(str(key))
    home = folder / "home"
    settings = replace(
        Settings.from_environment(), home=home, given_database_url=None, store_url=(home / "store").as_uri()
    )
    given = {"url": (folder / "backups").as_uri(), "recipients": (str(key.to_public()),), "identity": folder / "key"}
    url = postgres.start(settings.postgres_folder)
    try:
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            site = Site(open_store(settings), connection, url)
            ensure_table(connection, VISITS)
            yield Installed(settings, BackupSettings(**{**given, **backup}), url, site)
    finally:
        postgres.stop(settings.postgres_folder)


def register_model(site: Site) -> None:
    """A version of a model, as far as the registry and the store know it."""
    body = b"what an estimator is kept as"
    site.store.put("models/level/1/model.skops", body)
    site.connection.execute(
        """
        INSERT INTO registry.model_versions (name, version, artifact_key, sha256, feature_set, features, data_versions,
            scores) VALUES ('level', '1', 'models/level/1/model.skops', %s, 'households', '[]', '{}', '{}')
        """,
        [hashlib.sha256(body).hexdigest()],
    )


def kill(process: "subprocess.Popen[Any]") -> None:
    """The process and what it has started are gone."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(condition: Any, seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{condition} did not come true within {seconds} s")


def names(keys: Sequence[str]) -> list[str]:
    """Of keys, the names of the files."""
    return sorted(key.rpartition("/")[2] for key in keys)
