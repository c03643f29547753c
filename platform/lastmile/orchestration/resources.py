"""What the assets work with, as one Dagster resource: the database, the object store, the contracts, the settings.

Its fields name variables of the environment (`dg.EnvVar`), so the UI shows which variable a value comes from and never
the value: an address of a database holds a password. The same code runs on the embedded services and on real ones.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.settings import Settings
from lastmile.settings.given import resolved

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.contracts.contract import Contract
    from lastmile.store import Store


class Platform(dg.ConfigurableResource[Any]):
    """The parts of one installation. A field left empty falls back to the environment, as `Settings` reads it.

    Connections are opened when needed and closed by the caller's `with`.
    """

    database_url: str | None = None
    store_url: str | None = None
    notifications_url: str | None = None
    dask_scheduler: str | None = None
    redis_url: str | None = None
    mlflow_url: str | None = None
    #: An S3Resource where the store is on S3.
    s3: dg.ResourceDependency[Any] = None  # type: ignore[assignment]  # Dagster knows no optional one

    def settings(self) -> Settings:
        found = Settings.from_environment()
        return replace(
            found,
            given_database_url=_value(self.database_url) or found.given_database_url,
            store_url=_value(self.store_url) or found.store_url,
            notifications_url=_value(self.notifications_url) or found.notifications_url,
            dask_scheduler=_value(self.dask_scheduler) or found.dask_scheduler,
            redis_url=_value(self.redis_url) or found.redis_url,
            mlflow_url=_value(self.mlflow_url) or found.mlflow_url,
        )

    def contracts(self) -> "dict[str, Contract]":
        from lastmile.contracts.loading import load_contracts

        return load_contracts(self.settings().assets)

    @contextmanager
    def connect(self) -> "Iterator[Connection]":
        """A psycopg connection in autocommit mode: transactions are opened where they are meant."""
        from lastmile.warehouse.connections import connect, database_url

        with connect(database_url(self.settings())) as connection:
            yield connection

    def store(self) -> "Store":
        from lastmile.store import open_store

        return open_store(self.settings(), self.s3_options())

    def s3_options(self) -> Mapping[str, str] | None:
        """Settings of the S3 client where the store is on S3; None leaves them to the environment."""
        if self.s3 is None:
            return None
        from lastmile.orchestration.s3_resource import client_options

        return client_options(self.s3)


def _value(field: str | None) -> str | None:
    """Dagster puts in the value before a run; in a notebook the field is the variable still. Either may refer to a
    secret that is kept elsewhere."""
    text = field.get_value() if isinstance(field, dg.EnvVar) else field
    return resolved("a resource", text) if text else None


#: The fields of a Platform and the variables that they come from, where those are set.
_VARIABLES = {
    "database_url": "LASTMILE_DATABASE_URL",
    "store_url": "LASTMILE_STORE_URL",
    "notifications_url": "LASTMILE_NOTIFICATIONS_URL",
    "dask_scheduler": "LASTMILE_DASK_SCHEDULER",
    "redis_url": "LASTMILE_REDIS_URL",
    "mlflow_url": "LASTMILE_MLFLOW_URL",
}


def platform_from_environment() -> Platform:
    """The resource for this installation."""
    fields: dict[str, Any] = {field: dg.EnvVar(name) for field, name in _VARIABLES.items() if os.environ.get(name)}
    if Settings.from_environment().store_url.startswith("s3://"):
        from lastmile.orchestration.s3_resource import s3_from_environment

        fields["s3"] = s3_from_environment()
    return Platform(**fields)
