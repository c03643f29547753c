"""The project's assets on a warehouse and a store of their own, with Dagster's instance in a temporary folder."""

from collections.abc import Iterator

import dagster as dg
import pytest

from lastmile.settings import Settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, settings: Settings, database_url: str) -> None:
    """Point everything that reads the environment at this test's home, database and store."""
    monkeypatch.setenv("LASTMILE_HOME", str(settings.home))
    monkeypatch.setenv("LASTMILE_DATABASE_URL", database_url)
    monkeypatch.setenv("LASTMILE_STORE_URL", settings.store_url)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp() as instance:
        yield instance
