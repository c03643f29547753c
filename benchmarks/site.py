"""Where benchmarks run: a Postgres and a store of their own, with nothing else in them, gone at the end."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql

from benchmarks.survey import PARTITION, SURVEY
from lastmile.embedded import postgres
from lastmile.embedded.services import ALLOCATORS
from lastmile.settings import Settings
from lastmile.store import Store, open_store
from lastmile.warehouse.migrate import migrate
from lastmile.warehouse.tables import ensure_table

#: As the survey's table is, with its indexes; and its columns alone. For those that load and do nothing else.
SAME, BARE = "bench.same", "bench.bare"
#: What COPY gives the columns that say where a row came from, which the engine fills itself.
_ORIGIN = {"bigint": "1", "date": "'2020-01-01'", "timestamp with time zone": "now()", "text": "''"}


@dataclass(frozen=True)
class Site:
    """`postmaster` is the process of the server, by which its CPU is measured."""

    home: Path
    url: str
    store_url: str
    postmaster: int

    @property
    def environment(self) -> dict[str, str]:
        """As the workers of runs have it."""
        return {
            **ALLOCATORS,
            "LASTMILE_HOME": str(self.home),
            "LASTMILE_DATABASE_URL": self.url,
            "LASTMILE_STORE_URL": self.store_url,
        }

    @property
    def store(self) -> Store:
        return open_store(Settings(self.home, self.url, self.store_url, "assets"))

    def land(self, file: Path, name: str | None = None) -> None:
        """Make the file the only drop there is, as though it had been there for a minute."""
        for listed in list(self.store.list("landing")):
            self.store.delete(listed.key)
        key = f"landing/{SURVEY.name}/{PARTITION}/{name or file.name}"
        self.store.put(key, file)
        if self.store_url.startswith("file:"):
            ago = time.time() - 60
            os.utime(Path(self.store_url.removeprefix("file://")) / key, (ago, ago))

    def clear(self) -> None:
        """Forget every drop and row, and leave the server and the disk nothing to do from before."""
        for listed in list(self.store.list("cleaned")):
            self.store.delete(listed.key)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA large_drops CASCADE; CREATE SCHEMA large_drops")
            found = connection.execute(
                "SELECT schemaname, tablename FROM pg_tables"
                " WHERE schemaname IN ('bench', 'raw', 'ledger', 'quarantine') AND tablename <> 'alembic_version'"
            )
            tables = sql.SQL(", ").join(sql.Identifier(*names) for names in found.fetchall())
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(tables))
            connection.execute("CHECKPOINT")
        os.sync()

    def rows(self, table: str) -> int:
        with psycopg.connect(self.url) as connection:
            found = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split("."))))
            return int(found.fetchall()[0][0])


@contextmanager
def opened(store_url: str | None = None) -> Iterator[Site]:
    """A site whose store is a folder of its own, where no other is named."""
    with TemporaryDirectory(prefix="lastmile-bench-") as folder:
        home = Path(folder)
        with postgres.started(home / "postgres") as url:
            migrate(url)
            with psycopg.connect(url, autocommit=True) as connection:
                # It would fall on whichever contender runs when it is due.
                connection.execute("ALTER SYSTEM SET autovacuum = off")
                connection.execute("SELECT pg_reload_conf()")
                ensure_table(connection, SURVEY)
                _make_tables(connection)
            pid = int((home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
            yield Site(home, url, store_url or (home / "store").as_uri(), pid)


def _make_tables(connection: psycopg.Connection) -> None:
    connection.execute("CREATE SCHEMA bench")
    connection.execute("CREATE TABLE bench.same (LIKE raw.survey INCLUDING ALL)")
    connection.execute("CREATE TABLE bench.bare (LIKE raw.survey)")
    origin = connection.execute(
        "SELECT attname, format_type(atttypid, NULL), attnotnull FROM pg_attribute"
        " WHERE attrelid = 'raw.survey'::regclass AND attname LIKE '\\_%' AND attnum > 0"
    )
    for name, kind, is_needed in origin.fetchall():
        column = sql.Identifier(name)
        connection.execute(sql.SQL("ALTER TABLE bench.bare DROP COLUMN {}").format(column))
        if is_needed:
            default = sql.SQL("ALTER TABLE bench.same ALTER COLUMN {} SET DEFAULT {}")
            connection.execute(default.format(column, sql.SQL(_ORIGIN[kind])))
