"""`lastmile migrate`: a database that is new, current, or newer than the code."""

from pathlib import Path

import psycopg
import pytest
from end_to_end.installation import Installation

from lastmile.warehouse.migrate import pending


@pytest.fixture
def installation(home: Path, empty_database_url: str) -> Installation:
    return Installation(home, {"LASTMILE_DATABASE_URL": empty_database_url, "LASTMILE_PROFILE": "cluster"})


def test_a_new_database_gets_the_tables_of_the_platform_and_of_dagster(
    installation: Installation, empty_database_url: str
) -> None:
    assert "applied 0001" in installation.run("migrate")
    assert pending(empty_database_url) == []
    with psycopg.connect(empty_database_url) as database:
        assert database.execute("SELECT count(*) FROM dagster.runs").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM ledger.drops").fetchone() == (0,)
    assert "all migrations were applied before" in installation.run("migrate")


def test_a_database_that_newer_code_migrated_is_refused_and_left_as_it_is(
    installation: Installation, database_url: str
) -> None:
    newer = "UPDATE ledger.alembic_version SET version_num = '9999'"
    with psycopg.connect(database_url, autocommit=True) as database:
        before = database.execute("SELECT version_num FROM ledger.alembic_version").fetchone()
        database.execute(newer)
        try:
            installation.environment["LASTMILE_DATABASE_URL"] = database_url
            assert "migrated by newer code" in installation.run("migrate", code=1)
            assert database.execute("SELECT version_num FROM ledger.alembic_version").fetchone() == ("9999",)
        finally:
            database.execute("UPDATE ledger.alembic_version SET version_num = %s", before)
