"""Secrets kept in AWS Secrets Manager, by a server that speaks its API."""

import json
import uuid
from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

from lastmile.errors import UserError
from lastmile.settings import secrets_manager
from lastmile.settings.api import ApiSettings
from lastmile.settings.group import effective, faults, load
from lastmile.settings.installation import Settings


@pytest.fixture
def named(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a secret with two keys."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    secrets_manager._fetched.cache_clear()
    name = f"lastmile/{uuid.uuid4().hex}"
    body = {"database_url": "postgresql://u:s3cr3t@h/d", "issuer": "https://id.example.org", "port": 5432, "empty": ""}
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(body))
    yield name
    secrets_manager._fetched.cache_clear()


def reference(name: str, key: str = "database_url") -> dict[str, str]:
    return {"LASTMILE_DATABASE_URL": f"aws-secretsmanager://{name}#{key}"}


def test_a_reference_is_the_value_at_that_key(named):
    assert load(Settings, reference(named)).given_database_url == "postgresql://u:s3cr3t@h/d"


def test_an_arn_is_a_name_too_and_says_its_region(named, monkeypatch):
    arn = boto3.client("secretsmanager").describe_secret(SecretId=named)["ARN"]
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert load(Settings, reference(arn)).given_database_url == "postgresql://u:s3cr3t@h/d"


def test_without_a_key_it_is_the_whole_secret(named):
    boto3.client("secretsmanager").create_secret(Name=f"{named}/whole", SecretString="postgresql://h/whole\n")
    whole = {"LASTMILE_DATABASE_URL": f"aws-secretsmanager://{named}/whole"}
    assert load(Settings, whole).given_database_url == "postgresql://h/whole"


def test_its_source_is_shown_and_its_value_is_not_even_where_the_setting_is_no_secret(named):
    public = {"LASTMILE_PUBLIC_URL": f"aws-secretsmanager://{named}#issuer"}
    [one] = [one for one in effective(ApiSettings, public) if one.variable.name == "LASTMILE_PUBLIC_URL"]
    assert (one.value, one.source, one.hidden) == ("https://id.example.org", public["LASTMILE_PUBLIC_URL"], True)


def test_it_is_fetched_once_in_a_process(named):
    load(Settings, reference(named))
    boto3.client("secretsmanager").delete_secret(SecretId=named, ForceDeleteWithoutRecovery=True)
    assert load(Settings, reference(named)).given_database_url == "postgresql://u:s3cr3t@h/d"


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        ("/none", "database_url", "there is no such secret in this region and account"),
        ("", "databse", "the secret has no key 'databse'; it has 'database_url', 'empty', 'issuer', 'port'"),
        ("", "empty", "the value at the key 'empty' is empty"),
    ],
)
def test_what_is_not_there_is_named_and_nothing_of_the_secret_shown(named, change, key, said):
    [fault] = faults(Settings, reference(named + change, key))
    assert fault.startswith(f"LASTMILE_DATABASE_URL is aws-secretsmanager://{named}{change}#{key}: ")
    assert said in fault
    assert "s3cr3t" not in fault


def test_a_value_that_cannot_be_used_is_not_shown(named):
    [fault] = faults(Settings, reference(named, "issuer"))
    assert "LASTMILE_DATABASE_URL cannot be used (from aws-secretsmanager://" in fault
    assert "id.example.org" not in fault


def test_no_region_is_said(named, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    [fault] = faults(Settings, reference(f"{named}/regionless"))
    assert "specify a region; set AWS_REGION" in fault


def test_a_server_that_does_not_answer_is_said_within_seconds(named, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    [fault] = faults(Settings, reference(f"{named}/away"))
    assert "Could not connect to the endpoint URL" in fault


def test_no_right_is_said(named, monkeypatch):
    """The server checks no rights: AWS's own answer is put in its place."""
    client = boto3.client("secretsmanager")
    stub = Stubber(client)
    stub.add_client_error("get_secret_value", "AccessDeniedException", "User is not authorized", 400)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    with stub, pytest.raises(UserError, match="no right to read it; allow secretsmanager:GetSecretValue"):
        load(Settings, reference(f"{named}/denied"))
