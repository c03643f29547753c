"""What a change of the dbt project touches, built and tested alongside production: `make dbt-ci`.

Production publishes the manifest it was last built from. Models that differ from it, and those made from them,
are built into a schema of this run's own; all others are read where production has them. The schema is dropped at the
end, and one that a killed run left is dropped by the next.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from psycopg import Connection, sql

from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.connections import connect
from lastmile.warehouse.dbt.artifacts import fetch_manifest
from lastmile.warehouse.dbt.command import ensure_sources, run_dbt

_PREFIX = "dbt_ci_"


def build_changes(settings: Settings, database_url: str) -> int:
    """Exit code of dbt. Where production was never built, everything is."""
    ensure_sources(settings, database_url)
    with TemporaryDirectory(prefix="dbt-ci-") as folder, connect(database_url) as connection:
        arguments = ["build", "--target", "ci", "--target-path", f"{folder}/target", "--log-level-file", "none"]
        if fetch_manifest(open_store(settings), Path(folder, "manifest.json")):
            arguments += ["--select", "state:modified+", "--defer", "--favor-state", "--state", folder]
        with _schema(connection) as schema:
            return run_dbt(database_url, arguments, {"DBT_SCHEMA": schema})


@contextmanager
def _schema(connection: Connection) -> Iterator[str]:
    """The name of a schema of its own, gone at the end. The session's lock on its name says it is in use."""
    for (left,) in connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [_PREFIX]):
        _drop(connection, left)
    name = f"{_PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
    try:
        yield name
    finally:
        connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])
        _drop(connection, name)


def _drop(connection: Connection, schema: str) -> None:
    """Drop it unless another run uses it."""
    free = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [schema]).fetchone()
    if free and free[0]:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
        connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [schema])
