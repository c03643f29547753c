"""Migrates a database to the schema this code expects: all pending revisions in one transaction, or none.

Concurrent migrations are serialised; the later ones find nothing pending. Alembic is imported only where something is:
it and SQLAlchemy are half a second of a command's start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from lastmile.errors import UserError
from lastmile.warehouse.connections import connect

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

VERSION_SCHEMA = "ledger"
#: The oldest revision: where it is pending, nothing was ever applied.
FIRST = "0001"
#: Dagster creates its own tables, but not the schema for them.
SCHEMAS = (VERSION_SCHEMA, "dagster")
#: An arbitrary key of an advisory lock, used by nothing else in the database.
LOCK_KEY = 0x1A57_0001
_SCRIPTS = Path(__file__).parent / "migrations"


def migrate(url: str) -> None:
    """Apply what is pending. Raises UserError where the database is unreachable, denies it, or is newer."""
    if is_current(url):
        return
    from alembic import command
    from sqlalchemy import text

    with _transaction(url) as connection:
        if not _pending(connection):
            return
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK_KEY})"))
        for schema in SCHEMAS:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")


def pending(url: str) -> list[str]:
    """Revisions not yet applied, oldest first. Raises UserError as `migrate` does."""
    with _transaction(url) as connection:
        return _pending(connection)


def is_current(url: str) -> bool:
    """Whether the last revision, by the numbers that their files begin with, is the one applied.

    Raises UserError where the database is unreachable.
    """
    last = newest_revision()
    with connect(url) as connection:
        try:
            found = connection.execute(f"SELECT version_num FROM {VERSION_SCHEMA}.alembic_version").fetchall()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            return False
    return found == [(last,)]


def newest_revision() -> str:
    """The newest revision that this code knows."""
    return max(file.name.partition("_")[0] for file in (_SCRIPTS / "versions").glob("[0-9]*_*.py"))


def revision_of(url: str) -> str:
    """The newest revision applied; empty where none is. Raises UserError where the database is unreachable."""
    with connect(url) as connection:
        try:
            found = connection.execute(f"SELECT max(version_num) FROM {VERSION_SCHEMA}.alembic_version").fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            return ""
    return str(found[0] or "") if found else ""


def _pending(connection: "Connection") -> list[str]:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    applied = MigrationContext.configure(connection, opts={"version_table_schema": VERSION_SCHEMA}).get_current_heads()
    revisions = ScriptDirectory.from_config(_config()).iterate_revisions("heads", applied or "base")
    return [revision.revision for revision in revisions][::-1]


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


@contextmanager
def _transaction(url: str) -> Iterator["Connection"]:
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import ProgrammingError

    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(url, autocommit=False), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    except (CommandError, RevisionError) as error:
        raise UserError(f"the database was migrated by newer code ({error}): update this installation") from None
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != "42501":
            raise
        raise UserError(f"the database user may not migrate: {error.orig}; grant it CREATE on the database") from None
