"""A database of a shop whose changes are followed, and the tables here that they end in."""

from collections.abc import Iterator

import psycopg
import pytest
from databases import administer, own_database
from followed import VARIABLE, Shop

_SLOTS = """
    SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE active_pid IS NOT NULL
"""


@pytest.fixture
def shop(postgres: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Its table `stock` has ten articles."""
    with own_database(postgres) as url:
        monkeypatch.setenv(VARIABLE, url)
        with psycopg.connect(url, autocommit=True) as there, psycopg.connect(database_url, autocommit=True) as here:
            made = Shop(there, here)
            made.create()
            yield made
        administer(url, _SLOTS)
        administer(url, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
