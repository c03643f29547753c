"""Databases that earlier versions made are migrated with every row, agree afterwards, and are worked on.

How the databases were made is in upgrades/README.md.
"""

import lzma
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import own_database
from psycopg import sql
from sqlalchemy.exc import ProgrammingError

from lastmile.contracts.loading import load_contracts
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.ledger.relocation import relocate
from lastmile.operations.audit import violations
from lastmile.store import Store
from lastmile.warehouse.connections import libpq_environment
from lastmile.warehouse.migrate import is_current, migrate, pending, revision_of
from lastmile.warehouse.programs import program

DUMPS = sorted((Path(__file__).parent / "upgrades").glob("*.sql.xz"))
#: What a drop is, in the words of every version.
DROPS = """
    SELECT id, dataset, partition, key, version, state, sha256, rows_read, rows_loaded, rows_quarantined, rows_duplicate
    FROM ledger.drops ORDER BY id
"""
DATASETS = ("hhinfo", "crop", "lstk", "lstk_prod")


ONE = [dump for dump in DUMPS if dump.name.startswith("0014")]


@pytest.fixture(params=DUMPS, ids=lambda dump: dump.name.partition(".")[0])
def earlier(request: pytest.FixtureRequest, postgres: str) -> Iterator[str]:
    """A database as an earlier version has left it."""
    with own_database(postgres) as url:
        environment = libpq_environment(url)
        command = [program("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", environment["PGDATABASE"]]
        dump = lzma.decompress(request.param.read_bytes())
        done = subprocess.run(command, input=dump, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        yield url


def contents(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """The drops, and a digest of the rows of each table of the datasets, of the quarantine and of the models."""
    tables = [("raw", name) for name in DATASETS]
    digests = {
        name: connection.execute(
            sql.SQL("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\")) FROM {} t").format(
                sql.Identifier(schema, name)
            )
        ).fetchall()
        for schema, name in tables
    }
    quarantined = connection.execute(
        "SELECT drop_id, line, raw FROM quarantine.rows ORDER BY drop_id, line, raw"
    ).fetchall()
    models = []
    if connection.execute("SELECT to_regclass('registry.model_versions') IS NOT NULL").fetchone() == (True,):
        models = connection.execute(
            "SELECT name, version, artifact_key, sha256 FROM registry.model_versions ORDER BY name, version"
        ).fetchall()
    return {
        "drops": connection.execute(DROPS).fetchall(), "tables": digests, "quarantined": quarantined, "models": models,
    }  # fmt: skip


def test_a_database_of_every_earlier_version_is_kept() -> None:
    heads = {dump.name.partition(".")[0] for dump in DUMPS}
    assert {"0001", "0005", "0008", "0010", "0014", "0019"} <= heads


def test_an_earlier_database_is_migrated_with_every_row_and_worked_on(earlier: str, store: Store) -> None:
    with psycopg.connect(earlier, autocommit=True) as connection:
        before = contents(connection)
        assert before["drops"] != []
        assert pending(earlier) != []
        migrate(earlier)
        assert is_current(earlier)
        assert contents(connection) == before
        assert [fault for name in DATASETS for fault in violations(connection, name)] == []
        ((was,),) = connection.execute("SELECT DISTINCT store FROM ledger.drops").fetchall()
        relocate(connection, was, store.url, [])
        assert arrive(connection, store) == 20
        assert violations(connection, "crop") == []


def arrive(connection: psycopg.Connection[Any], store: Store) -> int:
    """Rows loaded from a new drop, made of rows that are there under names of households that are not."""
    contracts = load_contracts("assets")
    contract = contracts["crop"]
    columns = [name for name in contract.columns if name != "hhid"]
    query = sql.SQL("COPY (SELECT hhid || '_new' AS hhid, {} FROM raw.crop ORDER BY 1 LIMIT 20) TO STDOUT CSV HEADER")
    with connection.cursor().copy(query.format(sql.SQL(", ").join(map(sql.Identifier, columns)))) as rows:
        body = b"".join(bytes(block) for block in rows)
    store.put("landing/crop/2022/ke_new_2022/crop.csv", body)
    assert discover(connection, store, {"crop": contract}) == 1
    connection.execute("UPDATE ledger.drops SET not_before = now() WHERE state = 'discovered'")
    outcomes = ingest_pending(connection, store, contract, ["2022"], "upgraded")
    return sum(outcome.loaded for outcome in outcomes)


@pytest.mark.parametrize("earlier", ONE, indirect=True)
def test_a_failed_migration_leaves_the_earlier_version_as_it_was(earlier: str) -> None:
    """The way back after an upgrade that fails: all pending revisions are one transaction."""
    revision = revision_of(earlier)
    with psycopg.connect(earlier, autocommit=True) as connection:
        before = contents(connection)
        connection.execute("CREATE SCHEMA IF NOT EXISTS operations")
        connection.execute("CREATE TABLE operations.backups (in_the_way int)")
        with pytest.raises(ProgrammingError, match="already exists"):
            migrate(earlier)
        assert revision_of(earlier) == revision
        assert contents(connection) == before
