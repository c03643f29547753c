"""Connecting a command to ledger and store, whether the platform is up or not."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from lastmile.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from lastmile.store import Store


@contextmanager
def opened(settings: Settings) -> "Iterator[tuple[Connection, Store]]":
    """The ledger and the store of this installation, the database started for this if need be."""
    from lastmile.embedded.database import database
    from lastmile.store import open_store
    from lastmile.warehouse.connections import connect
    from lastmile.warehouse.migrate import migrate

    store = open_store(settings)
    with database(settings) as url:
        migrate(url)
        with connect(url) as connection:
            yield connection, store
