"""Dagster as the engine's functions need it: the instance of this installation, and one error where it is away."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from dagster import DagsterInstance
from sqlalchemy.exc import DBAPIError

from lastmile.errors import Unreachable
from lastmile.orchestration.dagster_compat.storage import DagsterPostgresException
from lastmile.orchestration.runs.connection_pool import keep_connections
from lastmile.settings import Settings


@contextmanager
def connected() -> Iterator[tuple[DagsterInstance, Path]]:
    """The instance, and the file that names its code servers. Raises Unreachable where its storage does not answer."""
    home = Settings.from_environment().dagster_home
    workspace = home / "workspace.yaml"
    if not workspace.exists():
        raise Unreachable(f"Dagster was never up in {home}: start it with `lastmile up`")
    try:
        yield _instance(str(home)), workspace
    except (DBAPIError, DagsterPostgresException):
        raise Unreachable("Dagster's storage does not answer; try again, or see `lastmile doctor`") from None


@lru_cache(1)
def _instance(home: str) -> DagsterInstance:
    os.environ.setdefault("DAGSTER_HOME", home)
    instance = DagsterInstance.get()
    keep_connections(instance)
    return instance
