"""What the assets work with, as one Dagster resource: the database, the object store, the contracts, the settings.

Every value comes from the environment of the process, so the same code runs on the embedded services and on real ones.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.settings import Settings

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.contracts.contract import Contract
    from lastmile.store import Store


class Platform(dg.ConfigurableResource[Any]):
    """The parts of one installation. Connections are opened when asked for and closed by the caller's `with`."""

    def settings(self) -> Settings:
        return Settings.from_environment()

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
        return None


def platform_from_environment() -> Platform:
    """The resource for this installation; boto3 is imported only where the store is on S3 (0.7 CPU-s a process)."""
    if Settings.from_environment().store_url.startswith("s3://"):
        from lastmile.orchestration.s3_resource import S3Platform

        return S3Platform.from_environment()
    return Platform()
