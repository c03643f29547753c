"""Development, staging and production are one code with three sets of variables."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from checkout import PROJECT
from databases import own_database

from lastmile.settings import secrets_manager
from lastmile.settings.all import all_faults, known, unknown
from lastmile.settings.api import ApiSettings
from lastmile.settings.group import load
from lastmile.settings.installation import Settings
from lastmile.settings.kafka import KafkaSettings
from lastmile.store import open_store
from lastmile.warehouse.connections import connect, database_url

FILES = sorted((PROJECT / "platform" / "deploy" / "environments").glob("*.env"))


def read(file: Path) -> dict[str, str]:
    lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def kept(postgres: str, s3_server: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The secrets, databases and buckets that the three files refer to."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    secrets_manager._fetched.cache_clear()
    with own_database(postgres) as one, own_database(postgres) as two, own_database(postgres) as three:
        for file, url in zip(FILES, (one, two, three), strict=True):
            secrets = {"database_url": url, "secret": file.stem * 16, "redis_url": f"redis://{file.stem}:6379"}
            secrets["kafka_password"] = f"kafka {file.stem}"
            manager, name = boto3.client("secretsmanager"), f"lastmile/{file.stem}"
            manager.create_secret(Name=name, SecretString=json.dumps(secrets))
            boto3.client("s3").create_bucket(Bucket=read(file)["LASTMILE_STORE_URL"].removeprefix("s3://"))
        yield
    for file in FILES:
        boto3.client("secretsmanager").delete_secret(SecretId=f"lastmile/{file.stem}", ForceDeleteWithoutRecovery=True)
    secrets_manager._fetched.cache_clear()


def test_the_three_set_the_same_variables_all_of_them_known():
    assert [file.stem for file in FILES] == ["dev", "production", "staging"]
    assert len({frozenset(read(file)) for file in FILES}) == 1
    assert [unknown(read(file)) for file in FILES] == [[], [], []]


def test_secrets_are_there_by_reference_only():
    from lastmile.settings.all import groups
    from lastmile.settings.group import variables

    secret = {one.name for group in groups() for one in variables(group) if one.secret}
    given = {(name, value) for file in FILES for name, value in read(file).items() if name in secret}
    assert {name for name, _ in given} == {
        "LASTMILE_DATABASE_URL", "LASTMILE_SECRET", "LASTMILE_REDIS_URL", "LASTMILE_KAFKA_SASL_PASSWORD",
    }  # fmt: skip
    assert [value for _, value in given if not value.startswith("aws-secretsmanager://")] == []


@pytest.mark.usefixtures("kept")
def test_the_same_code_with_three_sets_of_variables_is_three_installations():
    marked, kafka = {}, {}
    for file in FILES:
        environ = read(file)
        assert all_faults(environ) == []
        settings = Settings.from_environment(environ)
        kafka[file.stem] = load(KafkaSettings, environ)
        with connect(database_url(settings)) as connection:
            connection.execute("CREATE TABLE here (name text)")
            connection.execute("INSERT INTO here VALUES (%s)", (file.stem,))
        open_store(settings).put("here", file.stem.encode())
        marked[file.stem] = (settings, ApiSettings.from_environment(environ))
    for name, (settings, api) in marked.items():
        with connect(database_url(settings)) as connection:
            assert connection.execute("SELECT name FROM here").fetchall() == [(name,)]
        assert open_store(settings).read("here") == name.encode()
        assert settings.redis_url == f"redis://{name}:6379"
        assert kafka[name].client()["sasl.password"] == f"kafka {name}"
        assert str(api.public_url).endswith("example.org")


def test_no_setting_says_which_environment_it_is():
    assert [name for name in known() if re.search(r"_(ENV|ENVIRONMENT|STAGE)$", name)] == []
