"""The process that follows, and the commands, as they are started: with the declaration that ships."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg
import pytest
from checkout import PROJECT
from followed import Shop

from lastmile.settings import Settings
from lastmile.sources.changes.positions import lags

TABLE = """
    CREATE TABLE stock (
        stock_code text PRIMARY KEY, description text, quantity int, unit_price numeric, counted_at timestamptz
    )
"""


@pytest.fixture
def environment(settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Of an installation on the test's databases; the shop has two articles."""
    shop.does("DROP TABLE stock", TABLE, "INSERT INTO stock VALUES ('A1', 'cup', 3, 1.5), ('A2', 'plate', -4, 2)")
    return os.environ | {"LASTMILE_SOURCE_RETAIL_DATABASE": os.environ["LASTMILE_SOURCE_SHOP_DATABASE"]}


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def lastmile(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lastmile.cli", *words],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def articles(shop: Shop) -> list[tuple[str, int]]:
    try:
        return shop.here.execute("SELECT stock_code, quantity FROM changes.retail_stock ORDER BY 1").fetchall()
    except psycopg.errors.UndefinedTable:
        return []


def test_a_process_follows_until_it_is_stopped_and_takes_the_snapshot_that_is_wanted(
    environment: dict[str, str], shop: Shop
) -> None:
    command = [sys.executable, "-m", "lastmile.sources.changes", "retail_stock"]
    with subprocess.Popen(command, env=environment, cwd=PROJECT, stderr=subprocess.PIPE) as process:
        try:
            eventually(lambda: articles(shop) == [("A1", 3)])
            shop.does("UPDATE stock SET quantity = 5 WHERE stock_code = 'A2'")
            eventually(lambda: articles(shop) == [("A1", 3), ("A2", 5)])
            said = lastmile(environment, "source", "run", "retail_stock", "--snapshot")
            assert "the process that follows it loads all rows anew" in said
            shop.does("UPDATE stock SET quantity = 6 WHERE stock_code = 'A2'")
            eventually(
                lambda: articles(shop) == [("A1", 3), ("A2", 6)] and lags(shop.here)["retail_stock"].snapshot == 2
            )
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, process.stderr and process.stderr.read()


def test_a_command_catches_up_and_gives_up(environment: dict[str, str], shop: Shop) -> None:
    dry = lastmile(environment, "source", "run", "retail_stock", "--dry-run")
    assert "contract retail_stock: 1 of 2 rows are good" in dry
    said = lastmile(environment, "source", "run", "retail_stock", "--until-caught-up")
    assert "retail_stock: 2 rows and changes in 0 transactions, up to" in said
    assert articles(shop) == [("A1", 3)]
    assert "changes" in lastmile(environment, "source", "list")
    assert "its slot and publication are dropped" in lastmile(environment, "source", "drop", "retail_stock")
    assert shop.there.execute("SELECT count(*) FROM pg_replication_slots").fetchone() == (0,)
    assert "is no source of changes" in lastmile(environment, "source", "run", "users", "--snapshot")
