"""The platform's values come from the environment, and the UI shows names of variables where they hold secrets."""

import dagster as dg
import pytest

from lastmile.errors import UserError
from lastmile.orchestration.resources import Platform, platform_from_environment

SECRET = "postgresql://someone:secret@db.example.org/lastmile"


@pytest.fixture
def given(environment, monkeypatch):
    monkeypatch.setenv("LASTMILE_DATABASE_URL", SECRET)


def settings_in_a_run(platform):
    found = []

    @dg.asset
    def seen(platform: Platform) -> None:
        found.append((platform.settings(), platform.s3_options()))

    assert dg.materialize([seen], resources={"platform": platform}).success
    return found[0]


def test_a_secret_is_in_the_definitions_by_the_name_of_its_variable_only(given):
    definitions = dg.Definitions(resources={"platform": platform_from_environment()})
    shown = repr(definitions.get_repository_def().get_top_level_resources()["platform"].configurable_resource_cls)
    config = platform_from_environment()._get_non_default_public_field_values()
    assert config["database_url"] == dg.EnvVar("LASTMILE_DATABASE_URL")
    assert "secret" not in shown + repr(config)


def test_a_run_and_a_notebook_have_the_value(given):
    assert settings_in_a_run(platform_from_environment())[0].given_database_url == SECRET
    assert platform_from_environment().settings().given_database_url == SECRET


def test_a_value_that_is_given_comes_before_the_environment(given):
    assert settings_in_a_run(Platform(store_url="s3://elsewhere"))[0].store_url == "s3://elsewhere"


def test_without_a_database_the_definitions_load_and_a_connection_says_what_to_do(home):
    with pytest.raises(UserError, match="lastmile env"), platform_from_environment().connect():
        pass


def test_on_s3_the_clients_settings_are_those_of_an_s3_resource(given, monkeypatch):
    monkeypatch.setenv("LASTMILE_STORE_URL", "s3://bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    _, options = settings_in_a_run(platform_from_environment())
    assert options == {"aws_endpoint": "http://127.0.0.1:9000", "aws_region": "eu-central-1"}


def test_in_a_folder_no_s3_client_is_loaded(given):
    assert platform_from_environment().s3 is None
    assert platform_from_environment().s3_options() is None
