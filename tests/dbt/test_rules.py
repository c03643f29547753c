"""What must be true of every model, now and after the next one is added."""

import pytest

from lastmile.learning.declarations.loading import load_features, load_models, load_reports
from lastmile.orchestration.dbt.translator import asset_key, layer
from lastmile.orchestration.learning.features import feature_asset
from lastmile.orchestration.learning.models import model_asset
from lastmile.orchestration.learning.predictions import prediction_asset
from lastmile.orchestration.learning.reports import report_asset

LAYERS = {
    "staging": {"source"},
    "intermediate": {"staging", "intermediate", "seeds"},
    "snapshots": {"staging", "intermediate"},
    "marts": {"intermediate", "snapshots", "marts", "seeds"},
}
#: What only Postgres understands.
OWN_WORDS = ("::", "string_agg", "bool_or", "bool_and", "regexp_", "trim_scale", "generate_series", "distinct on")


@pytest.fixture(scope="module")
def manifest(built):
    return built.manifest()


@pytest.fixture(scope="module")
def models(manifest):
    """Models and snapshots."""
    found = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "snapshot")]
    assert {"staging", "intermediate", "marts"} <= {layer(node) for node in found} <= set(LAYERS)
    return found


def in_marts(models):
    return [model for model in models if layer(model) == "marts"]


def test_views_stand_on_sources_only_because_rebuilding_a_table_drops_the_views_on_it(models):
    views = [model for model in models if model["config"]["materialized"] == "view"]
    assert views
    assert all(parent.startswith("source.") for view in views for parent in view["depends_on"]["nodes"])


def test_layers_point_one_way(manifest, models):
    for model in models:
        parents = model["depends_on"]["nodes"]
        layers = {"source" if name in manifest["sources"] else layer(manifest["nodes"][name]) for name in parents}
        assert layers <= LAYERS[layer(model)], model["name"]


def test_models_are_named_after_their_layer(models):
    prefixes = {"staging": "stg_", "intermediate": "int_", "snapshots": "", "marts": ("fct_", "dim_", "summary_")}
    assert [model["name"] for model in models if not model["name"].startswith(prefixes[layer(model)])] == []


def test_tables_by_partition_are_made_by_window_behind_the_lock(models):
    partitioned = [model for model in models if model["config"]["materialized"] == "incremental"]
    assert partitioned
    for model in partitioned:
        assert model["config"]["incremental_strategy"] == "window", model["name"]
        assert any("lock_table" in hook["sql"] and hook["transaction"] for hook in model["config"]["pre-hook"])
        assert "in_window('partition_start')" in model["raw_code"], model["name"]


def test_marts_promise_their_columns_and_have_a_primary_key(models):
    for model in in_marts(models):
        assert model["contract"]["enforced"], model["name"]
        assert [constraint["type"] for constraint in model["constraints"]] == ["primary_key"], model["name"]


def test_the_key_of_every_mart_is_tested(manifest, models):
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    for model in in_marts(models):
        own = {test["test_metadata"]["name"] for test in tests if test["attached_node"] == model["unique_id"]}
        assert own & {"unique", "one_row_per"}, model["name"]


def test_every_model_seed_and_column_is_described_and_typed(manifest, models):
    seeds = [node for node in manifest["nodes"].values() if node["resource_type"] == "seed"]
    assert {seed["name"] for seed in seeds} == {"conversion_factors", "country_names", "gdp_per_head"}
    for model in [*models, *seeds]:
        assert model["description"], model["name"]
        unclear = [
            name for name, column in model["columns"].items() if not (column["description"] and column["data_type"])
        ]
        assert unclear == [], model["name"]


def test_columns_that_carry_a_unit_in_their_name_say_it_in_words(models):
    units = {
        "_ppp_per_person_per_day": "PPP$/person/day",
        "_lcu_per_year": "LCU/year",
        "_ha": "ha",
        "_share": "share",
        "_minutes": "minutes",
    }
    for model in models:
        for name, column in model["columns"].items():
            said = [unit for suffix, unit in units.items() if name.endswith(suffix)]
            assert all(f"({unit})" in column["description"] for unit in said), (model["name"], name)


def test_every_model_has_an_owner_and_a_group(models):
    assert {(model["config"]["meta"]["owner"], model["group"]) for model in models} == {("team:analytics", "warehouse")}


def test_what_makes_the_label_says_so(models):
    """Columns from which features must keep away carry `measures`, in every model they pass through."""
    for model in models:
        for name, column in model["columns"].items():
            telling = ("income", "consumed", "consumption", "value_ppp", "vulnerab")
            if any(word in name for word in telling) and model["name"] != "summary_country_year":
                assert column["meta"].get("measures"), (model["name"], name)


def test_only_macros_that_other_warehouses_can_have_their_own_of_say_what_postgres_alone_understands(manifest, models):
    own = [macro for macro in manifest["macros"].values() if macro["package_name"] == "lastmile"]
    spoken = {macro["name"]: macro["macro_sql"] for macro in own}
    spoken |= {model["name"]: model["raw_code"] for model in models}
    assert [
        (name, word)
        for name, sql in spoken.items()
        for word in OWN_WORDS
        if word in sql.lower() and not name.startswith("postgres__")
    ] == []
    for macro in own:
        if macro["name"].startswith("postgres__"):
            dispatcher = f"macro.lastmile.{macro['name'].removeprefix('postgres__')}"
            assert f"adapter.dispatch('{dispatcher.rpartition('.')[2]}')" in manifest["macros"][dispatcher]["macro_sql"]


def test_every_model_that_works_something_out_has_a_unit_test(manifest, models):
    """All but the calendar and the copies of views."""
    tested = {test["model"] for test in manifest["unit_tests"].values()}
    plain = {"stg_day", "int_household", "int_household_items"}
    assert {model["name"] for model in models if model["resource_type"] == "model"} - tested <= plain


def learning_assets():
    """Everything that the project learns and reports."""
    features, models, reports = (load("assets").values() for load in (load_features, load_models, load_reports))
    trained = [make(model) for make in (model_asset, prediction_asset) for model in models]
    return [*map(feature_asset, features), *trained, *map(report_asset, reports)]


def test_what_uses_a_mart_outside_dbt_is_an_exposure_whose_assets_there_are(manifest):
    exposures = {exposure["name"]: exposure for exposure in manifest["exposures"].values()}
    assert {"vulnerability_model", "vulnerability_report"} <= set(exposures)
    made = {key.to_user_string() for assets in learning_assets() for key in assets.keys}
    for exposure in exposures.values():
        assert exposure["owner"]["email"], exposure["name"]
        assert set(exposure["config"]["meta"]["dagster_assets"]) <= made
        assert all(layer(manifest["nodes"][name]) == "marts" for name in exposure["depends_on"]["nodes"])


def test_marts_that_assets_read_are_those_their_exposure_names(manifest):
    read = {dep.asset_key for assets in learning_assets() for spec in assets.specs for dep in spec.deps}
    named = {
        asset_key(manifest["nodes"][name])
        for exposure in manifest["exposures"].values()
        for name in exposure["depends_on"]["nodes"]
    }
    assert {key for key in read if key.path[0] == "marts"} <= named


def test_no_packages_are_needed(built):
    assert not [file for name in ("packages.yml", "dependencies.yml") for file in built.project.glob(name)]
