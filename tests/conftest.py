"""What any test may ask for: a Postgres of its own, a home, a store, and the real data where it is at hand."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import psycopg
import pytest
from checkout import PROJECT
from databases import TEMPLATE, Migrated, administer, make_template, own_database
from s3_server import s3_server_at
from scheduling import FilesTogether, longest_first
from visits import Site, checked_site

from lastmile.embedded import postgres as embedded_postgres
from lastmile.settings import Settings
from lastmile.store import Store

#: How long an example takes says nothing on a busy machine.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

if TYPE_CHECKING:
    from kafka_broker import RunningBroker

STORES = ("folder", "s3", "s3_versioned")
#: Finding, replacing, pinning and removing drops: whether these promises hold depends on the store.
STORE_BEHAVIOURS = {*range(1, 9), *range(14, 20), 30}

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-store", action="store_true", help="run all tests of the intake on every kind of store")
    parser.addoption("--every-history", action="store_true", help="play every seeded history of faults, not a choice")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests on `any_store` or `site` run on a folder, those that depend on the store on every kind of store."""
    if "any_store" in metafunc.fixturenames:
        everywhere = metafunc.config.getoption("--every-store") or _depends_on_the_store(metafunc.definition)
        metafunc.parametrize("any_store", STORES if everywhere else STORES[:1], indirect=True)


def _depends_on_the_store(test: pytest.Item) -> bool:
    behaviours = {mark.kwargs["number"] for mark in test.iter_markers("behaviour")}
    return test.get_closest_marker("every_store") is not None or bool(behaviours & STORE_BEHAVIOURS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=longest_first)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether:
    return FilesTogether(config, log)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run have together."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of one embedded server for the whole run. Ask for `database_url` unless the server itself is the subject."""
    with embedded_postgres.started(tmp_path_factory.mktemp("server") / "postgres") as url:
        # What is written survives killed processes all the same, and each database made is a checkpoint.
        administer(url, "ALTER SYSTEM SET fsync = off")
        administer(url, "SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """Name of a migrated database that nobody connects to; copying it takes a tenth of migrating."""
    make_template(postgres)
    return TEMPLATE


@pytest.fixture(scope="session")
def migrated(postgres: str, template: str) -> Migrated:
    """The database that all tests of a worker use one after another."""
    return Migrated(postgres, "tests")


@pytest.fixture
def database_url(migrated: Migrated) -> Iterator[str]:
    """URL of a migrated database without rows that nobody else uses meanwhile."""
    yield migrated.url
    migrated.emptied()


@pytest.fixture
def empty_database_url(postgres: str) -> Iterator[str]:
    """URL of a database with nothing in it."""
    with own_database(postgres) as url:
        yield url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A LASTMILE_HOME with nothing in it, set in the environment; no other setting is."""
    for name in (
        "LASTMILE_PROJECT",
        "LASTMILE_PROFILE",
        "LASTMILE_DATABASE_URL",
        "LASTMILE_STORE_URL",
        "LASTMILE_ASSETS",
        "LASTMILE_REDIS_URL",
        "LASTMILE_MLFLOW_URL",
        "LASTMILE_ALERTS_CHANNELS",
        "LASTMILE_KAFKA_URL",
        "LASTMILE_SCHEMA_REGISTRY_URL",
    ):
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
def kafka(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[RunningBroker]":
    """One Kafka broker for the whole run; each test makes topics of its own."""
    from kafka_broker import running_broker

    with running_broker(tmp_path_factory.mktemp("kafka") / "broker") as broker:
        yield broker


@pytest.fixture
def killable_kafka(tmp_path: Path) -> "Iterator[RunningBroker]":
    """A Kafka broker of this test's own, to be killed and started again."""
    from kafka_broker import running_broker

    with running_broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Endpoint of one S3 server for the whole run, in memory, on 127.0.0.1 only."""
    with s3_server_at(tmp_path_factory.mktemp("s3")) as url:
        yield url


@pytest.fixture
def s3_store_url(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty bucket of this test's own, and the environment to reach it."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    bucket = f"bucket-{os.getpid()}-{next(_numbers)}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}"


@pytest.fixture
def s3_versioned_url(s3_store_url: str) -> str:
    """The same, of a bucket that keeps versions."""
    import boto3

    bucket = s3_store_url.removeprefix("s3://")
    boto3.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return s3_store_url


@pytest.fixture
def any_store(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> "Store":
    """A store of each kind that `pytest_generate_tests` chose: a folder, a bucket without versions, one with."""
    from lastmile.store import open_store

    if request.param != "folder":
        url = request.getfixturevalue("s3_store_url" if request.param == "s3" else "s3_versioned_url")
        monkeypatch.setenv("LASTMILE_STORE_URL", f"{url}/a/prefix")
    return open_store(Settings.from_environment())


@pytest.fixture
def site(any_store: Store, database_url: str) -> Iterator[Site]:
    with checked_site(any_store, database_url) as here:
        yield here


@pytest.fixture
def new_connection(site: Site) -> Iterator[Callable[[], psycopg.Connection]]:
    """Opens further connections to the site's warehouse, as other workers have them."""
    opened: list[psycopg.Connection] = []

    def open_one() -> psycopg.Connection:
        opened.append(psycopg.connect(site.database_url, autocommit=True))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data beside the project."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real data in {folder}, which is not part of the project")
    return folder
