"""Migrations on real databases: from nothing, twice, at once, and where they may not."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from lastmile.errors import UserError
from lastmile.warehouse.connections import connect
from lastmile.warehouse.migrate import migrate, pending


def schemas(url: str) -> set[str]:
    with connect(url) as connection:
        return {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace")}


def test_an_empty_database_gets_everything_and_then_nothing_is_pending(empty_database_url: str) -> None:
    assert pending(empty_database_url)[0] == "0001"
    migrate(empty_database_url)
    assert pending(empty_database_url) == []
    assert {"ledger", "quarantine", "registry", "raw", "features", "predictions", "dagster"} <= schemas(
        empty_database_url
    )
    with connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM ledger.drops").fetchone() == (0,)


def test_migrating_again_keeps_what_is_there(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("CREATE TABLE raw.kept ()")
        migrate(database_url)
        assert connection.execute("SELECT to_regclass('raw.kept') IS NOT NULL").fetchone() == (True,)


def test_concurrent_migrations_are_serialised(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as racers:
        list(racers.map(migrate, [empty_database_url] * 4))
    with connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM ledger.alembic_version").fetchone() == (1,)


def test_the_version_is_kept_in_the_ledgers_schema(database_url: str) -> None:
    with connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('public.alembic_version')").fetchone() == (None,)
        assert connection.execute("SELECT to_regclass('ledger.alembic_version') IS NOT NULL").fetchone() == (True,)


def test_a_database_ahead_of_this_code_is_not_changed(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("UPDATE ledger.alembic_version SET version_num = '9999'")
    with pytest.raises(UserError, match="migrated by newer code"):
        migrate(database_url)


def test_a_user_who_may_not_migrate_reads_what_to_grant(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    try:
        address = empty_database_url.split("@")[1]
        with pytest.raises(UserError, match="grant it CREATE on the database"):
            migrate(f"postgresql://reader:reader@{address}")
        assert "ledger" not in schemas(empty_database_url)
    finally:
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute("DROP ROLE reader")


def test_a_database_that_is_current_costs_no_import_of_what_migrates_it(database_url):
    code = f"import sys; from lastmile.warehouse.migrate import migrate; migrate({database_url!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"alembic", "sqlalchemy"}.isdisjoint(done.stdout.split())


def test_the_revision_applied_last_is_the_one_whose_file_has_the_highest_number(database_url):
    from lastmile.warehouse import migrate as migrating

    assert migrating.is_current(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE ledger.alembic_version SET version_num = '0001'")
    assert not migrating.is_current(database_url)
