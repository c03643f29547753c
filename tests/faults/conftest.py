"""What the histories are played on: databases, stores, workers, a disk that is full."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import own_database
from faults.choosing import few
from faults.disk import fill, small_disk
from faults.history import history
from faults.playing import Stage
from faults.workers import Workers

from lastmile.settings import Settings
from lastmile.store import open_store


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="play the history of this seed, and no other")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests with a `seed` run once for each that `_seeds` chooses of their module's SEEDS."""
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", _seeds(metafunc))
    if "orderly_seed" in metafunc.fixturenames:
        metafunc.parametrize("orderly_seed", [seed for seed in _seeds(metafunc) if history(seed).is_orderly][:10])


def _seeds(metafunc: pytest.Metafunc) -> Sequence[int]:
    """The one requested, all for `make test-all`, else the few in which everything happens TIMES times."""
    one = metafunc.config.getoption("--seed", default=None)
    module: Any = metafunc.module
    if one is not None:
        return [one]
    return module.SEEDS if metafunc.config.getoption("--every-history") else few(module.SEEDS, module.TIMES)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    """Forked from a zygote with this process's environment."""
    forked = Workers(tmp_path_factory.mktemp("workers") / "log")
    yield forked
    forked.close()


@pytest.fixture(scope="module")
def stage_database(postgres: str, template: str) -> Iterator[str]:
    """URL of a migrated database that only this module uses."""
    with own_database(postgres, template) as url:
        yield url


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
