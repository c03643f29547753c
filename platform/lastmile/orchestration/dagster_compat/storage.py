"""Dagster's storages, and what a class that makes one of them is made of."""

from dagster._core.storage.base_storage import DagsterStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from dagster_postgres.utils import DagsterPostgresException

__all__ = [
    "ConfigurableClass",
    "ConfigurableClassData",
    "DagsterPostgresException",
    "DagsterPostgresStorage",
    "DagsterSqliteStorage",
    "DagsterStorage",
]
