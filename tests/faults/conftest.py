"""What the histories are played on: databases, stores, workers, a disk that is full."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from faults.disk import fill, small_disk
from faults.history import history
from faults.playing import Stage
from faults.workers import Workers

from lastmile.settings import Settings
from lastmile.store import open_store

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="play the history of this seed, and no other")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests with a `seed` run once for each of their module's SEEDS, or for the requested one only."""
    one = metafunc.config.getoption("--seed", default=None)
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", metafunc.module.SEEDS if one is None else [one])
    if "orderly_seed" in metafunc.fixturenames:
        seeds = [seed for seed in metafunc.module.SEEDS if history(seed).is_orderly][:10] if one is None else [one]
        metafunc.parametrize("orderly_seed", [seed for seed in seeds if history(seed).is_orderly])


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Forked from a zygote with this process's environment."""
    forked = Workers(tmp_path_factory.mktemp("workers") / "log")
    yield forked
    forked.close()


@pytest.fixture(scope="module")
def stage_database(postgres: str, template: str) -> Iterator[str]:
    """URL of a migrated database that only this module uses."""
    name = f"stage_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield f"{postgres.rpartition('/')[0]}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def make_stage(stage_database: str, workers: Workers, full_disk: Path | None) -> Iterator[Callable[[str], Stage]]:
    """Builds a stage on the store of a URL."""
    with psycopg.connect(stage_database, autocommit=True) as connection:

        def make(store_url: str) -> Stage:
            store = open_store(Settings(Path(), stage_database, store_url, "none"))
            return Stage(stage_database, connection, store, workers, full_disk)

        yield make


@pytest.fixture(scope="session")
def full_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A file system with no room left; None where this machine lets us make none."""
    with small_disk(tmp_path_factory.mktemp("disk")) as disk:
        if disk:
            fill(disk)
        yield disk
