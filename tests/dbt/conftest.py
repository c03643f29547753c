"""One warehouse for the tests of the dbt project, with dbt run in this process; each test finds it without rows."""

import itertools
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from databases import own_database
from psycopg import sql

from lastmile.contracts import Contract, load_contracts
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.settings import Settings
from lastmile.store import Store
from lastmile.warehouse.connections import libpq_environment
from lastmile.warehouse.dbt.project import DBT, MANIFEST, prepared
from lastmile.warehouse.tables import ensure_table

DATASETS = ("hhinfo", "crop", "lstk", "lstk_prod")


@dataclass
class Warehouse:
    """A database with the tables of the contracts, and dbt on it."""

    settings: Settings
    connection: psycopg.Connection
    project: Path = field(init=False)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def put(self, dataset: str, year: int, /, **values: Any) -> None:
        """Load one row into a dataset's partition."""
        origin = {"_drop_id": 1, "_line": next(self.numbers), "_partition_start": date(year, 1, 1), "_loaded_at": "now"}
        row = {**values, **origin}
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier("raw", dataset),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        )
        self.connection.execute(statement, list(row.values()))

    def put_household(self, year: int, hhid: str, /, **values: Any) -> None:
        """Load a household whose value is computable where nothing else is said."""
        survey = {"id_form": f"ml_one_{year}", "year": year, "country": "mali", "currency_conversion_lcu_to_ppp": 200.0}
        money = {"total_income_lcu_per_year": 73000.0, "value_farm_products_consumed_lcu_per_hh_per_year": 73000.0}
        self.put("hhinfo", year, **{"hhid": hhid, **survey, **money, "hh_size_members": 1, **values})

    def run(self, *arguments: str) -> list[Any]:
        """Results of a dbt command; fails the test where the command does."""
        done = self.try_to_run(*arguments)
        assert done.success, done.exception or [result.message for result in done.result if result.message]
        return list(done.result)

    def try_to_run(self, *arguments: str) -> Any:
        from dbt.cli.main import dbtRunner

        with self.environment():
            return dbtRunner().invoke([*_QUIETLY, *arguments, *self.folders()])

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """The same command in a process of its own."""
        command = [DBT, *_QUIETLY, *arguments, *self.folders()]
        with self.environment():
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @contextmanager
    def environment(self) -> Iterator[None]:
        """The variables of the installation that this warehouse belongs to."""
        url = str(self.settings.given_database_url)
        own = {"LASTMILE_HOME": str(self.settings.home), "LASTMILE_DATABASE_URL": url}
        with pytest.MonkeyPatch.context() as patch:
            for name in ("LASTMILE_STORE_URL", "LASTMILE_ASSETS"):
                patch.delenv(name, raising=False)
            for name, value in {**own, **libpq_environment(url)}.items():
                patch.setenv(name, value)
            yield

    def folders(self) -> list[str]:
        here = str(self.project)
        return ["--project-dir", here, "--profiles-dir", here, "--target-path", str(self.project / MANIFEST.parent)]

    def select(self, query: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode()).fetchall()

    def manifest(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads((self.project / MANIFEST).read_text())
        return found


_QUIETLY = ["--quiet", "--log-level-file", "none"]


@pytest.fixture(scope="session")
def contracts() -> Mapping[str, Contract]:
    return load_contracts()


@pytest.fixture(scope="session")
def built(
    postgres: str, template: str, contracts: Mapping[str, Contract], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """The warehouse with every model made once, empty."""
    home = tmp_path_factory.mktemp("dbt") / "home"
    with own_database(postgres, template) as url, psycopg.connect(url, autocommit=True) as connection:
        for contract in contracts.values():
            ensure_table(connection, contract)
        settings = Settings(home=home, given_database_url=url, store_url="", assets="assets")
        warehouse = Warehouse(settings, connection)
        with warehouse.environment():
            warehouse.project = prepared(settings, contracts)
        warehouse.run("build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
        yield warehouse


@pytest.fixture
def warehouse(built: Warehouse) -> Warehouse:
    """The warehouse with no rows in what was loaded, what is made by partition, and the snapshots."""
    for schema in ("raw", "intermediate", "snapshots"):
        tables = built.select(f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'")
        for (table,) in tables:
            built.connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(schema, table)))
    return built


@pytest.fixture(scope="module")
def installation(built: Warehouse) -> Iterator[Warehouse]:
    """The warehouse as the installation that the environment names."""
    with built.environment():
        yield built


@pytest.fixture
def real(warehouse: Warehouse, contracts: Mapping[str, Contract], store: Store, shared_data: Path) -> Warehouse:
    """The real surveys of 2015-2019, ingested and made into marts."""
    for file in sorted((shared_data / "household_rhomis").glob("year=*/*/*.csv")):
        year = file.parts[-3].removeprefix("year=")
        store.put(f"landing/{file.stem}/{year}/{file.parent.name}/{file.name}", file.read_bytes())
    discover(warehouse.connection, store, contracts)
    for contract in contracts.values():
        ingest_pending(warehouse.connection, store, contract, [str(year) for year in range(2015, 2020)], "test")
    warehouse.run("build", "--exclude-resource-type", "unit_test")
    return warehouse
