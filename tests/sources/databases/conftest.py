"""Databases that are read, and reading from them."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pymysql
import pytest
from databases import own_database
from mariadb import mariadb_at
from readings import VARIABLE, Origin

from lastmile.store import Store


@pytest.fixture
def postgres_origin(
    postgres: str, database_url: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Origin]:
    with (
        own_database(postgres) as url,
        psycopg.connect(url, autocommit=True) as there,
        psycopg.connect(database_url, autocommit=True) as here,
    ):
        monkeypatch.setenv(VARIABLE, url)
        yield Origin(there, here, store, tmp_path)


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of one server for the whole run."""
    with mariadb_at(tmp_path_factory.mktemp("mariadb")) as url:
        yield url


@pytest.fixture
def mysql_origin(
    mariadb: str, database_url: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Origin]:
    from urllib.parse import urlsplit

    parts = urlsplit(mariadb)
    there = pymysql.connect(
        host="127.0.0.1", port=parts.port or 0, user="shop", password=parts.password or "", autocommit=True
    )
    with there, psycopg.connect(database_url, autocommit=True) as here:
        with there.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS shop")
            cursor.execute("CREATE DATABASE shop")
            cursor.execute("USE shop")
        monkeypatch.setenv(VARIABLE, f"{mariadb}shop")
        yield Origin(there, here, store, tmp_path)


@pytest.fixture(params=["postgres_origin", "mysql_origin"], ids=["Postgres", "MariaDB"])
def origin(request: pytest.FixtureRequest) -> Origin:
    found: Origin = request.getfixturevalue(request.param)
    return found
