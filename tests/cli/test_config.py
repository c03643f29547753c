"""`lastmile config` shows what is set and where it is from, and never a secret."""

import json
import os

import pytest
from commands import Commands

config = Commands("config")


@pytest.fixture(autouse=True)
def nothing_set(home, monkeypatch):
    """But the home, whatever tests before have left."""
    for name in [name for name in os.environ if name.startswith("LASTMILE_") and name != "LASTMILE_HOME"]:
        monkeypatch.delenv(name)


def test_show_names_value_and_source_and_hides_secrets(monkeypatch, tmp_path):
    file = tmp_path / "url"
    file.write_text("postgresql://u:s3cr3t@h/d")
    monkeypatch.setenv("LASTMILE_DATABASE_URL_FILE", str(file))
    monkeypatch.setenv("LASTMILE_MLFLOW_URL", "https://me:s3cr3t@mlflow.example.org")
    said = config.said("show", "--json")
    found = {one["name"]: (one["value"], one["source"]) for one in json.loads(said)}
    assert found["LASTMILE_DATABASE_URL"] == ("********", f"file {file}")
    assert found["LASTMILE_MLFLOW_URL"] == ("https://me:***@mlflow.example.org", "environment")
    assert found["LASTMILE_PROFILE"] == ("single", "default")
    assert "s3cr3t" not in said + config.said("show")


def test_changed_leaves_out_the_defaults(monkeypatch):
    monkeypatch.setenv("LASTMILE_BODY_SECONDS", "30")
    found = {one["name"]: one["value"] for one in json.loads(config.said("show", "--changed", "--json"))}
    assert found["LASTMILE_BODY_SECONDS"] == "30.0"
    assert set(found) == {"LASTMILE_HOME", "LASTMILE_BODY_SECONDS"}


def test_check_is_content_or_names_every_fault_and_every_misspelt_name(monkeypatch):
    assert "settings can be used" in config.said("check")
    monkeypatch.setenv("LASTMILE_BODY_SECONDS", "0")
    monkeypatch.setenv("LASTMILE_HOEM", "/data")
    said = config.mistake("check")
    assert "LASTMILE_BODY_SECONDS is '0': expected a number of 1 or more" in said
    assert "LASTMILE_HOEM is not known; did you mean LASTMILE_HOME?" in said


def test_docs_lists_every_setting():
    from lastmile.settings.all import known

    said = config.said("docs")
    assert [name for name in known() if f"`{name}`" not in said] == []
