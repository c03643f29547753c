"""Errors of Dagster's storage that have no public name."""

from dagster_postgres.utils import DagsterPostgresException

__all__ = ["DagsterPostgresException"]
