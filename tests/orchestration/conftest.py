"""The project's assets on a warehouse and a store of their own, with Dagster's instance in a temporary folder."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from household_learning import VULNERABILITY, learning_assets, learning_resources
from households import households, put_marts
from visits import HEADER, VISITS

from lastmile.contracts import Contract, load_contracts
from lastmile.learning.evaluation.evaluation import train_and_evaluate
from lastmile.learning.registry.deployments import champion, promote
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.versions import Candidate, register
from lastmile.learning.training.fitting import recipe
from lastmile.orchestration.resources import Platform
from lastmile.settings import Settings
from lastmile.store import Store
from lastmile.warehouse.dbt.project import prepared

Make = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, settings: Settings, database_url: str) -> None:
    """Point everything that reads the environment at this test's home, database and store."""
    monkeypatch.setenv("LASTMILE_HOME", str(settings.home))
    monkeypatch.setenv("LASTMILE_DATABASE_URL", database_url)
    monkeypatch.setenv("LASTMILE_STORE_URL", settings.store_url)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """In memory: making one in a folder takes 0.6 CPU-s, and each of its runs 0.3 more."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


class VisitsPlatform(Platform):
    """A platform whose only dataset is `visits`."""

    def contracts(self) -> dict[str, Contract]:
        return {"visits": VISITS}


@pytest.fixture
def visits_platform(environment: None) -> VisitsPlatform:
    return VisitsPlatform()


@pytest.fixture
def put(store: Store) -> Callable[..., None]:
    """Puts rows of visits into the landing area."""

    def put(name: str, *rows: str, year: str = "2020") -> None:
        store.put(f"landing/visits/{year}/{name}", "\n".join([HEADER, *rows]).encode())

    return put


@pytest.fixture(scope="session")
def parsed_dbt_project(shared_folder: Path) -> Path:
    """The folder that every home of this test run shares; parsed by the worker that comes first."""
    prepared(Settings(shared_folder, None, "", "assets"), load_contracts())
    return shared_folder / "dbt"


@pytest.fixture
def learning_platform(environment: None, home: Path, parsed_dbt_project: Path) -> Platform:
    """A platform on which the dbt project is ready and households lie in the marts."""
    home.mkdir(exist_ok=True)
    (home / "dbt").symlink_to(parsed_dbt_project)
    platform = Platform()
    with platform.connect() as connection:
        put_marts(connection)
    return platform


@pytest.fixture(scope="session")
def candidate() -> Candidate:
    """A model of the households, trained and evaluated once: that takes seconds, and many tests need one."""
    model, rows = VULNERABILITY.value, households().dropna(subset="vulnerability_level")
    names = model.features.names()
    rows = rows.reindex(columns=[*rows.columns, *(name for name in names if name not in rows.columns)])
    trained = train_and_evaluate(model, rows.reset_index(drop=True))
    code = recipe(model, VULNERABILITY.code_version)
    made_of = {"recipe": code, "rows": "those of households()", "row_count": len(rows)}
    return Candidate(model.name, trained.estimator, model.features.name, names, made_of, trained.evaluation.as_json())


def put_in_use(platform: Platform, candidate: Candidate) -> None:
    """Register the candidate and make it champion."""
    with platform.connect() as connection:
        version, before = register(connection, platform.store(), candidate), champion(connection, candidate.name)
        promote(connection, version, before.version if before else None, Cause("a test", "pytest"))


@pytest.fixture
def in_use(learning_platform: Platform) -> Callable[[Candidate], None]:
    return partial(put_in_use, learning_platform)


@pytest.fixture
def trained(make: Make, learning_platform: Platform, candidate: Candidate) -> Platform:
    """A platform with features of 2018 and 2019 and version 1 of the model in use."""
    make("features", "2018", "2019")
    put_in_use(learning_platform, candidate)
    return learning_platform


@pytest.fixture
def make(learning_platform: Platform, instance: dg.DagsterInstance) -> Make:
    """Run one of the assets made from the marts, by its room's name: of one partition, of a range, or whole."""

    def make(
        room: str, first: str | None = None, last: str | None = None, assets: list[dg.AssetsDefinition] | None = None
    ) -> dg.ExecuteInProcessResult:
        span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        return dg.materialize(
            assets or learning_assets(),
            selection=dg.AssetSelection.key_prefixes(room),
            instance=instance,
            resources=learning_resources(learning_platform),
            partition_key=first if last is None else None,
            tags=span if last else None,
            raise_on_error=False,
        )

    return make


@pytest.fixture
def stale(instance: dg.DagsterInstance) -> Callable[..., list[dg.AssetKey]]:
    """Which of these assets and partitions Dagster's web UI shows as made by other code."""
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleCauseCategory
    from dagster._core.loader import LoadingContextForTest

    def stale(graph: object, *places: tuple[dg.AssetKey, str | None]) -> list[dg.AssetKey]:
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        causes = {key: resolver.get_stale_causes(key, partition) for key, partition in places}
        return [key for key, found in causes.items() if StaleCauseCategory.CODE in {cause.category for cause in found}]

    return stale
