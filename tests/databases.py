"""Databases for tests: one per worker, brought back after each test to what the migrations make.

Deleting a few rows costs 20 ms. Truncating the tables costs 45, because a file is made for each of them and each of its
indexes, and copying the migrated database for every test 150 (docs/testing.md).
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from lastmile.warehouse.connections import dagster_url
from lastmile.warehouse.migrate import migrate

if TYPE_CHECKING:
    from dagster import DagsterInstance

TEMPLATE = "template_migrated"
#: A table that has grown over this is truncated: deleting would leave dead rows for the next tests to read.
SMALL_BYTES = 1_000_000

_numbers = itertools.count(1)
_OURS = "nspname !~ '^pg_' AND nspname <> 'information_schema'"
#: Everything but rows that a test may add or change; a changed object has another digest.
_OBJECTS = f"""
    SELECT 'SCHEMA', nspname, NULL, md5(nspacl::text) FROM pg_namespace WHERE {_OURS}
    UNION ALL
    SELECT 'TABLE', nspname, relname, md5(concat(relkind, relpersistence, relacl, reloptions,
        (SELECT string_agg(concat_ws(' ', attname, atttypid, attnotnull, attacl, pg_get_expr(adbin, adrelid)), ','
                           ORDER BY attnum)
           FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
          WHERE attrelid = c.oid AND NOT attisdropped),
        (SELECT string_agg(pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint WHERE conrelid = c.oid),
        (SELECT string_agg(pg_get_indexdef(indexrelid), ',' ORDER BY indexrelid) FROM pg_index WHERE indrelid = c.oid),
        (SELECT string_agg(pg_get_triggerdef(oid), ',' ORDER BY tgname) FROM pg_trigger
          WHERE tgrelid = c.oid AND NOT tgisinternal),
        CASE WHEN relkind = 'v' THEN pg_get_viewdef(c.oid) END))
      FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm') AND {_OURS}
    UNION ALL
    SELECT 'FUNCTION', nspname, proname, md5(concat(prosrc, proargtypes))
      FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace WHERE {_OURS}
    UNION ALL
    SELECT 'SETTING', NULL, NULL, setconfig::text FROM pg_db_role_setting
     WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_OTHER_SESSIONS = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_TABLES = f"""
    SELECT nspname, relname, pg_table_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind = 'r' AND relname <> 'alembic_version' AND {_OURS}
"""
_SEQUENCES = f"""
    SELECT setval(c.oid::regclass, 1, false) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
     WHERE relkind = 'S' AND {_OURS}
"""

Object = tuple[str, str | None, str | None, str | None]


class Migrated:
    """A migrated database that tests use one after another; `emptied` brings it back after each."""

    def __init__(self, server: str, name: str) -> None:
        self.server, self.name, self.url = server, name, database(server, name)
        administer(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        with psycopg.connect(self.url, autocommit=True) as connection:
            self.made, self.version = objects(connection), _version(connection)

    def emptied(self) -> None:
        """End its sessions, drop what was added, delete all rows; made anew where a migrated table was changed."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(_OTHER_SESSIONS)
            if added := objects(connection) - self.made:
                _drop(connection, added, self.made)
            if objects(connection) == self.made and _version(connection) == self.version:
                _delete_rows(connection)
                return
        administer(self.server, f"DROP DATABASE {self.name} WITH (FORCE)")
        administer(self.server, f"CREATE DATABASE {self.name} TEMPLATE {TEMPLATE} STRATEGY file_copy")


def make_template(server: str) -> None:
    """Migrate a database that nobody connects to."""
    administer(server, f"CREATE DATABASE {TEMPLATE}")
    migrate(database(server, TEMPLATE))


@contextmanager
def own_database(server: str, template: str = "template1") -> Iterator[str]:
    """URL of a database that exists in this context only."""
    name = f"own_{next(_numbers)}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield database(server, name)
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


def administer(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


def database(server: str, name: str) -> str:
    return f"{server.rpartition('/')[0]}/{name}"


def objects(connection: psycopg.Connection) -> set[Object]:
    """Schemas, tables, views, functions and settings of a database, each with a digest of how it is defined."""
    return set(connection.execute(_OBJECTS.encode()).fetchall())


def _version(connection: psycopg.Connection) -> list[tuple[str]]:
    return connection.execute("SELECT version_num FROM ledger.alembic_version").fetchall()


def _drop(connection: psycopg.Connection, added: set[Object], made: set[Object]) -> None:
    """Drop added schemas, and added tables and views of the schemas that stay."""
    schemas = {schema for kind, schema, *_ in made if kind == "SCHEMA"}
    tables = {(schema, table) for kind, schema, table, _ in made if kind == "TABLE"}
    for kind, schema, table, _ in added:
        if kind == "SCHEMA" and schema not in schemas:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(str(schema))))
        if kind == "TABLE" and schema in schemas and (schema, table) not in tables:
            connection.execute(_dropping(connection, str(schema), str(table)))


def _dropping(connection: psycopg.Connection, schema: str, table: str) -> sql.Composed:
    query = "SELECT relkind FROM pg_class WHERE oid = to_regclass(format('%%I.%%I', %s::text, %s::text))"
    found = connection.execute(query, [schema, table]).fetchone()
    kind = {"v": "VIEW", "m": "MATERIALIZED VIEW"}.get(found[0] if found else "r", "TABLE")
    return sql.SQL(f"DROP {kind} IF EXISTS {{}} CASCADE").format(sql.Identifier(schema, table))


def _delete_rows(connection: psycopg.Connection) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")  # tables in any order, no trigger fires
        for schema, table, size in connection.execute(_TABLES.encode()).fetchall():
            words = "TRUNCATE {} CASCADE" if size > SMALL_BYTES else "DELETE FROM {}"
            connection.execute(sql.SQL(words).format(sql.Identifier(schema, table)))
        connection.execute(_SEQUENCES.encode())


@contextmanager
def dagster_in_postgres(home: Path, url: str) -> "Iterator[DagsterInstance]":
    """Dagster's own state in the test's database, where that of a platform is."""
    from dagster import DagsterInstance

    storage = {"storage": {"postgres": {"postgres_url": dagster_url(url)}}}
    with DagsterInstance.local_temp(str(home), overrides=storage) as instance:
        yield instance
