"""The source's database, ours and the process that follows are killed at random moments; nothing is lost or doubled."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from followed import TABLE, VARIABLE, Server, Shop

from lastmile.embedded import postgres as embedded_postgres
from lastmile.sources.changes.positions import lags
from lastmile.warehouse.migrate import migrate

PROCESS = Path(__file__).parents[2] / "following_process.py"
#: What each change was, as the source's own trigger saw it, in the order of its transactions.
AUDIT = """
    CREATE TABLE audit (number bigint GENERATED ALWAYS AS IDENTITY, op text, before jsonb, after jsonb);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO audit (op, before, after) VALUES (
            CASE TG_OP WHEN 'INSERT' THEN 'c' WHEN 'UPDATE' THEN 'u' ELSE 'd' END, to_jsonb(OLD), to_jsonb(NEW)
        );
        RETURN NULL;
    END $$;
    CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON stock FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE stock ALTER name SET STORAGE EXTERNAL;
"""
FEW, MANY = (10_000, 6), (100_000, 25)


@dataclass
class Follower:
    """The process that follows; started again when it was killed."""

    database_url: str
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(PROCESS.parent)}
        command = [sys.executable, str(PROCESS), self.database_url]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        self.stop()
        self.start()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass
class Writer:
    """Changes the stock, transaction by transaction, some of which it takes back."""

    server: Server
    chance: random.Random
    done: int = 0
    connection: psycopg.Connection | None = field(default=None, repr=False)

    def write(self) -> None:
        try:
            if self.connection is None or self.connection.closed:
                self.connection = psycopg.connect(self.server.url, autocommit=True)
            with self.connection.transaction(force_rollback=self.chance.random() < 0.05):
                for _ in range(self.chance.randint(1, 4)):
                    self.done += max(self.connection.execute(self._statement().encode()).rowcount, 0)
        except psycopg.OperationalError:
            with suppress(psycopg.Error):
                if self.connection is not None:
                    self.connection.close()

    def _statement(self) -> str:
        size, at = self.chance.randint(1, 60), self.chance.randint(1, 4000)
        key, rest = self.chance.randint(1, 10**12), self.chance.randint(2, 9)
        series = f"generate_series({key}, {key + size}) n"
        return self.chance.choice(
            (
                f"INSERT INTO stock SELECT n, 'x' || n, n % 90, 1.5, now() FROM {series} ON CONFLICT DO NOTHING",
                f"INSERT INTO stock SELECT n, repeat('long', 600), 1, NULL, NULL FROM {series} ON CONFLICT DO NOTHING",
                f"UPDATE stock SET quantity = quantity + {rest} WHERE article % 97 = {at % 97}",
                f"UPDATE stock SET price = price + 0.01 WHERE article BETWEEN {at} AND {at + size}",
                f"UPDATE stock SET article = article + {key} WHERE article BETWEEN {at} AND {at + 3}",
                f"DELETE FROM stock WHERE article % 211 = {at % 211}",
                f"INSERT INTO stock VALUES ({at}, 'again', {rest}) ON CONFLICT (article) DO UPDATE SET price = 9",
            )
        )


@contextmanager
def killed(
    there: Server, here: Server, follower: Follower, chance: random.Random, kills: int
) -> Iterator[threading.Thread]:
    """One after another, at moments by chance."""

    def kill() -> None:
        for number in range(kills):
            time.sleep(chance.uniform(0.2, 3.0))
            (follower, there, follower, here)[number % 4 if number < 4 else chance.randrange(4)].kill()

    thread = threading.Thread(target=kill)
    thread.start()
    yield thread
    thread.join()


@pytest.mark.parametrize(
    ("changes", "kills"), [FEW, pytest.param(*MANY, marks=pytest.mark.flow)], ids=["10,000 changes", "100,000 changes"]
)
def test_whatever_is_killed_the_target_equals_the_source_and_the_history_is_complete(
    changes: int, kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(24)
    there, here = Server(tmp_path / "there"), Server(tmp_path / "here")
    there.start()
    here.start()
    migrate(here.url)
    monkeypatch.setenv(VARIABLE, there.url)
    try:
        with psycopg.connect(there.url, autocommit=True) as connection:
            connection.execute(TABLE.encode())
            connection.execute("INSERT INTO stock SELECT n, 'x', 1, 1, now() FROM generate_series(1, 4000) n")
            connection.execute(AUDIT.encode())
        follower, writer = Follower(here.url), Writer(there, chance)
        follower.start()
        wait_for_snapshot(here)
        with killed(there, here, follower, random.Random(25), kills) as killing:
            while killing.is_alive() or writer.done < changes:
                writer.write()
                time.sleep(0.02 if writer.done < changes else 0.1)
        follower.stop()
        began = time.monotonic()
        with (
            psycopg.connect(there.url, autocommit=True) as source,
            psycopg.connect(here.url, autocommit=True) as target,
        ):
            shop = Shop(source, target)
            shop.follow()
            print(f"{writer.done:,} changes; {time.monotonic() - began:.1f} s to catch up", file=sys.stderr)
            assert shop.shows() == shop.has()
            expect_complete_history(shop)
    finally:
        follower.stop()
        embedded_postgres.stop(there.folder)
        embedded_postgres.stop(here.folder)


def wait_for_snapshot(here: Server) -> None:
    deadline = time.monotonic() + 120
    with psycopg.connect(here.url, autocommit=True) as connection:
        while "stock" not in (found := lags(connection)) or not found["stock"].snapshot:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def expect_complete_history(shop: Shop) -> None:
    """Each change that the source's own trigger saw, once, in its order."""
    (audited,) = shop.there.execute("SELECT count(*) FROM audit").fetchone() or (0,)
    assert shop.here.execute("SELECT count(*) FROM changes.stock_history WHERE op <> 'r'").fetchone() == (audited,)
    values = ("article", "name", "quantity")
    columns = ", ".join(f"{image} ->> '{name}'" for image in ("before", "after") for name in values)
    there = shop.there.execute(f"SELECT op, {columns} FROM audit ORDER BY number".encode()).fetchall()
    assert shop.history(f"op, {columns}") == there
    assert lags(shop.here)["stock"].changes == audited
