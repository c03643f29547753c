"""Dagster's settings by profile: each loads for real, and a cluster's keeps nothing on one machine's disk."""

from pathlib import Path

import dagster as dg
import psycopg
import pytest
import yaml
from checkout import PROJECT

from lastmile.errors import UserError
from lastmile.orchestration.instance import write_dagster_yaml
from lastmile.settings import Settings
from lastmile.warehouse.connections import dagster_url


@pytest.fixture
def dagster_home(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LASTMILE_DAGSTER_URL", dagster_url(database_url))
    monkeypatch.setenv("LASTMILE_DAGSTER_STORAGE", str(tmp_path / "storage"))
    return tmp_path


def test_the_single_machine_is_what_lies_at_the_top_of_the_repository(tmp_path: Path) -> None:
    write_dagster_yaml("single", tmp_path)
    assert (tmp_path / "dagster.yaml").read_text() == (PROJECT / "dagster.yaml").read_text(), (
        "cp dagster.yaml platform/lastmile/orchestration/instance/single.yaml"
    )


@pytest.mark.parametrize("profile", ["single", "cluster"])
def test_a_profile_makes_an_instance_that_keeps_its_history_in_postgres(
    profile: str, dagster_home: Path, database_url: str
) -> None:
    write_dagster_yaml(profile, dagster_home)
    with dg.DagsterInstance.from_config(str(dagster_home)) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("here"))
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT asset_key FROM dagster.asset_keys").fetchall() == [('["here"]',)]


def test_a_cluster_names_no_folder_and_leaves_the_launcher_to_the_deployment(dagster_home: Path) -> None:
    write_dagster_yaml("cluster", dagster_home)
    text = (dagster_home / "dagster.yaml").read_text()
    assert "base_dir" not in text
    assert "LASTMILE_DAGSTER_STORAGE" not in text
    assert "run_launcher" not in yaml.safe_load(text)


def test_the_profile_comes_from_the_environment_and_a_misspelt_one_is_refused(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings.from_environment().profile == "single"
    monkeypatch.setenv("LASTMILE_PROFILE", "clutser")
    with pytest.raises(UserError, match="LASTMILE_PROFILE is 'clutser': expected cluster or single"):
        Settings.from_environment()
