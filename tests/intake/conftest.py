"""A site for each test of the intake, on each kind of store, with the books checked at its end."""

from collections.abc import Callable, Iterator

import psycopg
import pytest
from visits import Site

from lastmile.intake.auditing import violations
from lastmile.store import Store
from lastmile.warehouse.tables import ensure_table


@pytest.fixture
def site(any_store: Store, database_url: str) -> Iterator[Site]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        here = Site(any_store, connection, database_url)
        ensure_table(connection, here.contract)
        yield here
        assert violations(connection, here.contract.name) == []
        assert here.cleaned() == here.visits()


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
