"""The database that tests use one after another is as migrated before each, whatever the last one did to it."""

import psycopg
import pytest
from databases import Migrated, administer, objects

DROP = """
    INSERT INTO ledger.drops (dataset, partition, store, key, version, size, modified_at)
    VALUES ('visits', '2020', 'store', 'key', '1', 1, now())
"""


@pytest.fixture(scope="module")
def one(postgres, template):
    yield (made := Migrated(postgres, "as_migrated"))
    administer(postgres, f"DROP DATABASE {made.name} WITH (FORCE)")


@pytest.mark.parametrize(
    "deed",
    [
        DROP,
        "CREATE TABLE raw.visits (id bigint); CREATE VIEW raw.seen AS SELECT * FROM raw.visits",
        "CREATE SCHEMA marts; CREATE TABLE marts.a (id bigint); CREATE FUNCTION marts.f() RETURNS int RETURN 1",
        "ALTER TABLE ledger.drops ADD note text",
        "DROP TABLE quarantine.discarded CASCADE",
        "DELETE FROM ledger.alembic_version",
        "CREATE FUNCTION ledger.f() RETURNS int RETURN 1",
        "REVOKE ALL ON ledger.drops FROM CURRENT_USER",
        "ALTER DATABASE as_migrated SET work_mem = '1MB'",
    ],
)
def test_what_a_test_did_to_its_database_is_undone(one, deed):
    with psycopg.connect(one.url, autocommit=True) as left_open:
        left_open.execute(deed)
        one.emptied()
        with psycopg.connect(one.url, autocommit=True) as connection:
            assert connection.execute("SELECT count(*) FROM ledger.drops").fetchone() == (0,)
            assert connection.execute("SELECT nextval('ledger.drops_id_seq')").fetchone() == (1,)
            assert objects(connection) == one.made
            assert connection.execute("SELECT count(*) FROM ledger.alembic_version").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="terminat"):
            left_open.execute("SELECT 1")
