"""Dagster's storages, and what a class that makes one of them is made of."""

from typing import Any

from dagster import DagsterInstance
from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import DagsterPostgresException
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

__all__ = [
    "ConfigurableClass",
    "ConfigurableClassData",
    "DagsterPostgresException",
    "DagsterPostgresStorage",
    "DagsterSqliteStorage",
    "DagsterStorage",
    "check_connections",
]


def check_connections(instance: DagsterInstance) -> None:
    """Let kept connections be tried before each use, and replaced where they are dead; SQLAlchemy's `pool_pre_ping`,
    which Dagster has no setting for. Should a later version rename the engine, only that is lost."""
    for storage in (instance.run_storage, instance.event_log_storage, instance.schedule_storage):
        if engine := getattr(storage, "_engine", None):
            event.listen(engine, "checkout", _try)


def _try(connection: Any, *_: object) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:
        raise DisconnectionError from error
