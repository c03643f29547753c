"""What any test may ask for: a Postgres of its own, a home, a store, and the real data where it is at hand."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from lastmile.settings import PROJECT, Settings
from lastmile.warehouse import embedded
from lastmile.warehouse.migrating import migrate

if TYPE_CHECKING:
    from lastmile.store import Store

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of one embedded server for the whole run. Ask for `database_url` unless the server itself is the subject."""
    with embedded.started(tmp_path_factory.mktemp("server") / "postgres") as url:
        yield url


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """Name of a migrated database that nobody connects to; copying it takes a tenth of migrating."""
    _administer(postgres, "CREATE DATABASE template_migrated")
    migrate(_database(postgres, "template_migrated"))
    return "template_migrated"


@pytest.fixture
def database_url(postgres: str, template: str) -> Iterator[str]:
    """URL of a migrated database that only this test uses."""
    name = f"test_{next(_numbers)}"
    _administer(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield _database(postgres, name)
    _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """URL of a database with nothing in it."""
    name = f"test_{next(_numbers)}"
    _administer(postgres, f"CREATE DATABASE {name}")
    yield _database(postgres, name)
    _administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A LASTMILE_HOME with nothing in it, set in the environment; no other setting is."""
    for name in ("LASTMILE_DATABASE_URL", "LASTMILE_STORE_URL", "LASTMILE_CONTRACTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LASTMILE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation in `home`, with a folder of objects and this test's database."""
    monkeypatch.setenv("LASTMILE_DATABASE_URL", database_url)
    return Settings.from_environment()


@pytest.fixture
def store(home: Path) -> "Store":
    """The folder of objects in `home`."""
    from lastmile.store import open_store

    return open_store(Settings.from_environment())


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the project."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real data in {folder}, which is not part of the project")
    return folder


def _administer(postgres: str, statement: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]  # names made above, no one's input


def _database(postgres: str, name: str) -> str:
    return f"{postgres.rpartition('/')[0]}/{name}"
