"""The dbt project in Dagster: models as assets, tests as checks, a range of partitions as one window."""

import copy
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from lastmile.orchestration.dbt.assets import warehouse_assets
from lastmile.orchestration.dbt.project import dbt_resource
from lastmile.orchestration.dbt.translator import asset_key, code_version, column_lineage
from lastmile.orchestration.resources import Platform

BY_YEAR, BY_DAY = "warehouse_by_year_from_2010", "warehouse_by_day_from_2010_12_01"
BY_DAY_OF_FETCH = "warehouse_by_day_from_2024_01_01"
SHOP_TABLES = (
    "fct_retail_cancellation",
    "fct_retail_customer_month",
    "fct_retail_repurchase",
    "summary_retail_cohort",
)
COMMUNITY_TABLES = ("dim_community_user", "fct_community_post")


@pytest.fixture(scope="module")
def sets(installation, contracts):
    """By name: views, tables by partition of each kind, tables of all partitions."""
    return {assets.node_def.name: assets for assets in warehouse_assets(contracts)}


@pytest.fixture
def run(sets, contracts, installation):
    def run(assets, first=None, last=None):
        tags = (
            {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last} if first else {}
        )
        resources = {"platform": Platform(), "dbt": dbt_resource(contracts)}
        return dg.materialize([assets], resources=resources, tags=tags)

    return run


def row_counts(result):
    return {
        event.asset_key.path[-1]: event.materialization.metadata["dagster/row_count"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key.path[0] != "snapshots"  # whose statement counts what it added and ended
    }


def test_every_model_is_an_asset_under_its_layer_that_says_whose_it_is_and_what_it_holds(sets, installation):
    nodes = installation.manifest()["nodes"].values()
    models = [node for node in nodes if node["resource_type"] in ("model", "snapshot", "seed")]
    specs = {spec.key: spec for assets in sets.values() for spec in assets.specs}
    assert set(specs) == {asset_key(model) for model in models}
    for spec in specs.values():
        assert (spec.group_name, list(spec.owners)) == ("warehouse", ["team:analytics"])
        assert {"dbt", "postgres"} <= spec.kinds
        columns = spec.metadata["dagster/column_schema"].columns
        assert all(column.description and column.type != "?" for column in columns)


def test_views_are_made_from_the_cleaned_datasets(sets, contracts):
    as_changes, as_events = {"retail_stock"}, {"access_log", "page_beacons", "station_readings"}
    views = sets["warehouse_views"]
    assert {dep.asset_key for spec in views.specs for dep in spec.deps} == {
        dg.AssetKey(["cleaned", dataset]) for dataset in contracts.keys() - as_changes - as_events
    }


def test_only_tables_by_partition_have_partitions_and_those_of_their_datasets(sets):
    first = {
        name: assets.partitions_def and assets.partitions_def.get_first_partition_key() for name, assets in sets.items()
    }
    whole = dict.fromkeys(("warehouse_seeds", "warehouse_views", "warehouse_tables"))
    assert first == {**whole, BY_YEAR: "2010", BY_DAY: "2010-12-01", BY_DAY_OF_FETCH: "2024-01-01"}


def test_every_data_test_is_a_check_that_says_what_it_checks(sets, installation):
    tests = [node for node in installation.manifest()["nodes"].values() if node["resource_type"] == "test"]
    checks = [spec for assets in sets.values() for spec in assets.check_specs]
    assert sorted(check.name for check in checks) == sorted(test["name"] for test in tests)
    assert all(check.description for check in checks)


def test_seeds_are_made_and_checked(warehouse, sets, run):
    made = run(sets["warehouse_seeds"])
    names = {event.asset_key.path[-1] for event in made.get_asset_materialization_events()}
    assert names == {"conversion_factors", "country_names", "gdp_per_head"}
    assert all(warehouse.select(f"SELECT count(*) FROM seeds.{name}")[0][0] > 100 for name in names)
    checks = made.get_asset_check_evaluations()
    assert len(checks) == 6
    assert all(check.passed for check in checks)


def test_views_are_made_where_nothing_was_ever_loaded(warehouse, sets, run):
    warehouse.connection.execute("DROP TABLE raw.lstk CASCADE")
    run(sets["warehouse_views"])
    assert warehouse.select("SELECT * FROM staging.stg_lstk") == []


def test_a_range_of_partitions_becomes_one_window_and_its_tables_become_marts(warehouse, sets, run):
    for year in (2015, 2016, 2017, 2018):
        warehouse.put_household(year, f"ml_one_{year}_1")
    warehouse.put_household(2017, "sn_one_2017_1", id_form="sn_one_2017", currency_conversion_lcu_to_ppp=239006.7)
    made = run(sets[BY_YEAR], "2016", "2017")
    assert {event.partition for event in made.get_asset_materialization_events()} == {"2016", "2017"}
    households = "SELECT survey_year FROM intermediate.int_household ORDER BY 1"
    assert warehouse.select(households) == [(2016,), (2017,), (2017,)]

    marts = run(sets["warehouse_tables"])
    events = marts.get_asset_materialization_events()
    assert all("dagster/column_lineage" in event.materialization.metadata for event in events)
    assert row_counts(marts) == {
        **dict.fromkeys((*SHOP_TABLES, *COMMUNITY_TABLES), 0),
        "fct_household_year": 3,
        "dim_household": 3,
        "dim_household_history": 3,
        "dim_household_items": 3,
        "dim_survey": 3,
        "int_survey": 3,
        "int_survey_comparison": 3,
        "summary_country_year": 2,
    }
    checks = {check.check_name: check for check in marts.get_asset_check_evaluations()}
    wrong_factor = checks.pop("dim_survey_conversion_factor_is_right")
    assert (wrong_factor.passed, wrong_factor.description) == (False, "sn_one_2017")
    (record,) = wrong_factor.metadata["failing rows"].records
    assert (
        record.data["conversion_reason"]
        == "conversion factor 239007 is 1219 times larger than 196 XOF, published for mali"
    )
    assert all(check.passed for check in checks.values())


def test_failing_rows_are_stored_and_some_are_shown_without_what_is_personal(warehouse, sets, run):
    for number in range(51):
        earned = {"total_income_lcu_per_year": 1e11} if number < 25 else {}
        warehouse.put_household(2017, f"ml_one_2017_{number}", **earned)
    warehouse.run("run", "--select", "intermediate")
    checks = {check.check_name: check for check in run(sets["warehouse_tables"]).get_asset_check_evaluations()}
    implausible = checks["fct_household_year_value_is_plausible"]
    shown = implausible.metadata["failing rows"].records
    assert len(shown) == 20
    assert all("hhid" not in record.data for record in shown)
    assert implausible.description == "ml_one_2017"
    stored = implausible.metadata["all failing rows"].value
    assert stored == "`select * from failures.fct_household_year_value_is_plausible`"
    assert len({row[0] for row in warehouse.select(stored.strip("`"))}) == 25


def test_a_column_shows_the_columns_it_is_worked_out_from(installation):
    def origins(model, column):
        metadata = column_lineage(installation.manifest(), f"model.lastmile.{model}")
        return set(metadata["dagster/column_lineage"].value.deps_by_column[column])

    household = dg.AssetKey(["intermediate", "int_household"])
    assert origins("stg_crop", "crop") == {dg.TableColumnDep(dg.AssetKey(["cleaned", "crop"]), "name")}
    assert origins("fct_household_year", "hhid") == {dg.TableColumnDep(household, "hhid")}
    assert {
        dg.TableColumnDep(household, "total_income_lcu_per_year"),
        dg.TableColumnDep(household, "value_farm_products_consumed_lcu_per_year"),
        dg.TableColumnDep(household, "conversion_factor_lcu_to_ppp"),
        dg.TableColumnDep(household, "hh_size_members"),
    } <= origins("fct_household_year", "value_ppp_per_person_per_day")


def test_every_model_links_to_its_sql_in_the_checkout(sets):
    for assets in sets.values():
        for spec in assets.specs:
            (reference,) = spec.metadata["dagster/code_references"].code_references
            file = Path(reference.file_path)
            assert file.is_file()
            assert spec.key.path[0] in file.parts
            assert spec.key.path[1] in (file.stem, "household_history")


def test_snapshots_are_made_with_the_tables_after_those_they_look_at(sets):
    (spec,) = (spec for spec in sets["warehouse_tables"].specs if spec.key.path[0] == "snapshots")
    assert spec.key == dg.AssetKey(["snapshots", "household_history"])
    assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["intermediate", "int_household"])]
    assert spec.automation_condition is not None


def test_the_code_version_follows_the_macros_a_model_uses_and_no_others(installation):
    manifest = copy.deepcopy(installation.manifest())
    node = manifest["nodes"]["model.lastmile.fct_household_year"]
    before = code_version(manifest, node)
    manifest["macros"]["macro.lastmile.normal_name"]["macro_sql"] += "--"
    assert code_version(manifest, node) == before
    manifest["macros"]["macro.lastmile.vulnerability_level"]["macro_sql"] += "--"
    assert code_version(manifest, node) != before


def test_a_database_that_goes_away_while_models_are_made_is_no_failure_of_theirs(warehouse, sets, run):
    """As a Postgres that is killed does: every session is gone at once, in the middle of a statement."""
    with ThreadPoolExecutor() as pool, warehouse.connection.transaction():
        warehouse.connection.execute("LOCK raw.lstk")
        views = pool.submit(run, sets["warehouse_views"])
        while not warehouse.select("SELECT pid FROM pg_locks WHERE relation = 'raw.lstk'::regclass AND NOT granted"):
            assert not views.done()
            time.sleep(0.05)
        warehouse.select(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert views.result().success
    assert len([event for event in views.result().all_events if event.is_step_up_for_retry]) == 1
