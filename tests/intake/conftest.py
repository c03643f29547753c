"""A site for each test of the intake, on each kind of store, with the books checked at its end."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from visits import Site, checked_site

from lastmile.store import Store


@pytest.fixture
def site(any_store: Store, database_url: str) -> Iterator[Site]:
    with checked_site(any_store, database_url) as here:
        yield here


@pytest.fixture
def worker(site: Site) -> Iterator[Callable[[], psycopg.Connection]]:
    """Opens further connections to the site's warehouse, as other workers have them."""
    opened: list[psycopg.Connection] = []

    def open_one() -> psycopg.Connection:
        opened.append(psycopg.connect(site.database_url, autocommit=True))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
