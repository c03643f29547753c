"""The features: every household once, and an alarm for whatever gives the level away."""

import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from checkout import PROJECT
from households import households, put_marts

from assets import features, models
from assets.features import FEATURES_KEY, HOUSEHOLD_VULNERABILITY
from lastmile.contracts import load_contracts
from lastmile.learning.feature_set import FeatureSet, numeric
from lastmile.learning.leakage import derived_inputs
from lastmile.learning.lineage import measures
from lastmile.orchestration.resources import Platform
from lastmile.settings import Settings
from lastmile.store import Store
from lastmile.warehouse.dbt.project import MANIFEST, prepared


def checks(result: dg.ExecuteInProcessResult) -> Mapping[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def count(platform: Platform, where: str = "true") -> int:
    with platform.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM features.household_vulnerability WHERE {where}").fetchone()  # type: ignore[call-overload]
    return int(row[0])


def smuggling(*inputs: str) -> FeatureSet:
    """The feature set with further inputs, read from the mart that has the level."""
    return replace(
        HOUSEHOLD_VULNERABILITY,
        source="marts.fct_household_year",
        inputs=tuple(numeric(name, "Smuggled in.") for name in inputs),
    )


def test_a_range_of_years_is_made_in_one_run_with_every_household_once(make, learning_platform) -> None:
    result = make("features", "2018", "2019")
    assert result.success
    assert count(learning_platform) == count(learning_platform, "hhid IS NOT NULL") == 400
    assert count(learning_platform, "vulnerability_level IS NULL") == 20
    assert checks(result) == dict.fromkeys(features.CHECKS, True)


def test_making_a_year_again_doubles_nothing(make, learning_platform) -> None:
    versions = [make("features", "2018").get_asset_materialization_events()[0] for _ in range(2)]
    assert count(learning_platform) == 200
    first, second = (event.materialization.tags["dagster/data_version"] for event in versions)
    assert first == second


def test_the_data_version_changes_with_the_rows(make, learning_platform) -> None:
    before = make("features", "2018").get_asset_materialization_events()[0].materialization.tags
    with learning_platform.connect() as connection:
        put_marts(connection, households(seed=2))
    after = make("features", "2018").get_asset_materialization_events()[0].materialization.tags
    assert before["dagster/data_version"] != after["dagster/data_version"]


def test_each_year_says_how_many_rows_and_levels_it_has(make, instance: dg.DagsterInstance) -> None:
    make("features", "2018", "2019")
    records = instance.fetch_materializations(dg.AssetRecordsFilter(FEATURES_KEY, asset_partitions=["2018"]), limit=1)
    metadata = records.records[0].asset_materialization.metadata
    assert (metadata["dagster/row_count"].value, metadata["labelled"].value, metadata["surveys"].value) == (200, 190, 5)
    assert sum(metadata[level].value for level in HOUSEHOLD_VULNERABILITY.levels) == 190


def test_each_year_is_kept_as_parquet(make, store: Store) -> None:
    make("features", "2018", "2019")
    file = store.read("features/household_vulnerability/partition=2019.parquet")
    assert pl.read_parquet(io.BytesIO(file))["survey_year"].unique().to_list() == [2019]


def test_a_year_without_households_is_made_empty(make, learning_platform) -> None:
    result = make("features", "2012")
    assert result.success
    assert (checks(result)["complete"], count(learning_platform)) == (True, 0)


@pytest.mark.parametrize("name", ["total_income_lcu_per_year", "value_ppp_per_person_per_day"])
def test_income_or_what_is_derived_from_it_as_an_input_fails_both_checks(make, monkeypatch, name: str) -> None:
    monkeypatch.setattr(features, "HOUSEHOLD_VULNERABILITY", smuggling(name))
    result = make("features", "2018", "2019")
    failed = {check.check_name: check.description for check in result.get_asset_check_evaluations() if not check.passed}
    assert set(failed) == {"no_input_makes_the_level", "no_input_gives_the_level_away"}
    assert failed["no_input_makes_the_level"].startswith(f"{name} is derived from")


def test_income_that_arrived_under_an_innocent_name_is_noticed_by_its_rows(make, learning_platform) -> None:
    """Lineage cannot know it: the values of another column were made of income before they came."""
    rows = households()
    with learning_platform.connect() as connection:
        put_marts(connection, rows.with_columns(land_owned_ha=pl.col("total_income_lcu_per_year").log1p()))
    result = make("features", "2018", "2019")
    assert checks(result) == {
        "complete": True,
        "no_input_makes_the_level": True,
        "no_input_gives_the_level_away": False,
    }


@pytest.mark.parametrize(
    "smuggled", ["ln(1 + total_income_lcu_per_year)", "0.1 * value_farm_products_consumed_lcu_per_year + land_owned_ha"]
)
def test_a_column_derived_in_sql_is_found_through_the_real_models(tmp_path: Path, smuggled: str) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT / "dbt_project", project, ignore=shutil.ignore_patterns("target", "logs"))
    model = project / "models" / "marts" / "dim_household.sql"
    model.write_text(model.read_text().replace("    land_owned_ha,", f"    {smuggled} as land_owned_ha,"))
    settings = Settings(tmp_path / "home", None, "", "none of the project's own")
    folder = prepared(settings, load_contracts(), project)
    found = measures(json.loads((folder / MANIFEST).read_text()))
    assert list(derived_inputs(HOUSEHOLD_VULNERABILITY, found)) == ["land_owned_ha"]


def test_no_model_is_trained_on_a_leak(make, monkeypatch, learning_platform) -> None:
    make("features", "2018", "2019")
    monkeypatch.setattr(models, "HOUSEHOLD_VULNERABILITY", smuggling("total_income_lcu_per_year"))
    result = make("models")
    assert not result.success
    with learning_platform.connect() as connection:
        assert connection.execute("SELECT count(*) FROM registry.model_versions").fetchone() == (0,)


def described(schema: dg.TableSchema) -> dict[str, Any]:
    return {column.name: column.description for column in schema.columns}


def test_every_column_is_described_with_its_unit() -> None:
    found = described(features.column_schema(HOUSEHOLD_VULNERABILITY))
    assert found["land_owned_ha"] == "Land owned. · unit: ha"
    assert all(found.values())
