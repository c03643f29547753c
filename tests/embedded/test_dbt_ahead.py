"""The dbt project of a new home is parsed before anything needs it, and that of another is left alone."""

import time

import pytest

from lastmile.catalogue.brought import declared_tables
from lastmile.contracts import load_contracts
from lastmile.embedded import dbt_ahead
from lastmile.embedded.dbt_ahead import parsed_ahead
from lastmile.settings import Settings
from lastmile.warehouse.dbt import project


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("LASTMILE_HOME", str(tmp_path))
    url = "postgresql://reader@127.0.0.1:1/anything"
    return Settings(tmp_path, url, tmp_path.as_uri(), "assets")


def test_what_the_code_server_needs_is_there_before_it_is_needed(settings, monkeypatch):
    with parsed_ahead(settings):
        deadline = time.monotonic() + 300
        while not (ready := [*settings.home.glob("dbt/*/ready")]):
            assert time.monotonic() < deadline, (settings.home / "logs" / "dbt-ahead.log").read_text()
            time.sleep(0.1)
    for name, value in (("HOST", "127.0.0.1"), ("PORT", "1"), ("USER", "reader"), ("DATABASE", "anything")):
        monkeypatch.setenv(f"PG{name}", value)
    monkeypatch.setattr(project, "_parse", lambda folder: pytest.fail("parsed again"))
    contracts = load_contracts(settings.assets)
    tables = declared_tables(settings.assets, contracts)
    assert project.prepared(settings, contracts, brought=tables) == ready[0].parent


def test_a_home_in_which_it_was_parsed_is_left_alone(settings, monkeypatch):
    (settings.home / "dbt" / "one").mkdir(parents=True)
    (settings.home / "dbt" / "one" / "ready").touch()
    started = []
    monkeypatch.setattr(dbt_ahead.subprocess, "Popen", lambda *_, **__: started.append(1))
    with parsed_ahead(settings):
        assert started == []
