"""Monitoring as an asset: it follows predictions in their run, names what changed, and waits gently for a champion."""

from collections.abc import Callable

import dagster as dg
import pytest
from household_learning import (
    CHAMPION_KEY,
    FEATURES_KEY,
    MODEL_KEY,
    PREDICTIONS_KEY,
    SURVEY_YEARS,
    VULNERABILITY,
    learning_assets,
    learning_resources,
)

from lastmile.learning.monitoring.verdicts import drift_reason
from lastmile.orchestration.chain import chain
from lastmile.orchestration.learning.monitoring import CHECKS, monitoring_asset
from lastmile.orchestration.learning.shared import monitoring_key
from lastmile.orchestration.partitions import partitions_of
from lastmile.orchestration.resources import Platform

KEY, YEARS = monitoring_key("vulnerability"), ["2018", "2019"]
Monitor = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def monitor(make) -> Monitor:
    def monitor(*years: str) -> dg.ExecuteInProcessResult:
        return make("monitoring", *years, assets=[*learning_assets(), monitoring_asset(VULNERABILITY)])

    return monitor


def checks(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_years_alike_pass_every_check_and_are_recorded_by_input(make, trained, monitor) -> None:
    make("predictions", *YEARS)
    result = monitor(*YEARS)
    assert {name: check.passed for name, check in checks(result).items() if name != "performance_fell"} == {
        "features_drifted": True,
        "predictions_drifted": True,
    }
    with trained.connect() as connection:
        years = connection.execute(
            "SELECT partition_start::text, model_version, rows, compared_with FROM registry.monitoring ORDER BY 1"
        ).fetchall()
        inputs = connection.execute("SELECT count(DISTINCT feature) FROM registry.drift").fetchone()
    assert years == [("2018-01-01", "1", 200, 200), ("2019-01-01", "1", 200, 200)]
    assert inputs == (len(VULNERABILITY.value.inputs) + 1,)


def test_what_drifted_is_named_by_the_check_with_a_warning_and_calls_for_a_training(
    make, trained, monitor, instance
) -> None:
    make("predictions", *YEARS)
    with trained.connect() as connection:
        # Five surveys against five: fewer inputs could change so by the luck of which surveys are in which year.
        connection.execute(
            "UPDATE marts.dim_household SET hh_size_members = hh_size_members * 3, land_owned_ha = land_owned_ha * 3,"
            " livestock_tlu = livestock_tlu * 3, hdds_score = hdds_score + 20, crop_count = 5,"
            " livestock_heads = 3, hh_size_mae = 4 WHERE survey_year = 2019"
        )
    make("features", "2019")
    make("predictions", "2019")
    check = checks(monitor("2019"))["features_drifted"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description.startswith("2019: ")
    assert "hh_size_members (PSI" in check.description
    with trained.connect() as connection:
        assert "hh_size_members" in (drift_reason(connection, "vulnerability") or "")
    (record,) = instance.fetch_materializations(dg.AssetRecordsFilter(KEY, asset_partitions=["2019"]), limit=1).records
    shown = record.asset_materialization.metadata
    assert "hh_size_members" in shown["inputs that drifted"].value
    pictures = {"drift of inputs (picture)", "hh_size_members (picture)", "vulnerability_level (picture)"}
    assert pictures <= shown.keys()
    assert all("data:image/svg+xml;base64," in str(shown[picture].value) for picture in pictures)


def test_without_a_champion_nothing_is_compared_and_no_check_warns(make, monitor, learning_platform) -> None:
    make("features", *YEARS)
    result = monitor(*YEARS)
    assert result.success
    found = checks(result)
    assert {name: check.passed for name, check in found.items()} == dict.fromkeys(CHECKS, True)
    assert "no version of vulnerability predicts" in found["features_drifted"].description


def test_it_is_made_in_the_run_that_drops_led_to(instance: dg.DagsterInstance, environment: None) -> None:
    assets, resources = [*learning_assets(), monitoring_asset(VULNERABILITY)], learning_resources(Platform())
    graph = dg.Definitions(assets=assets, resources=resources).resolve_asset_graph()
    found = chain(instance, graph, [FEATURES_KEY], partitions_of(SURVEY_YEARS))
    assert {FEATURES_KEY, PREDICTIONS_KEY, KEY} <= {*found.keys}
    assert MODEL_KEY not in found.keys


def test_a_new_model_has_predictions_and_monitoring_requested_together_and_once(
    instance: dg.DagsterInstance, environment: None
) -> None:
    assets = [*learning_assets(), monitoring_asset(VULNERABILITY)]
    defs = dg.Definitions(assets=assets, resources=learning_resources(Platform()))
    for year in YEARS:
        instance.report_runless_asset_event(dg.AssetMaterialization(FEATURES_KEY, partition=year))
    cursor = None

    def tick() -> dict[dg.AssetKey, int]:
        nonlocal cursor
        result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)
        cursor = result.cursor
        return {made.key: made.true_subset.size for made in result.results if not made.true_subset.is_empty}

    tick()
    instance.report_runless_asset_event(dg.AssetMaterialization(CHAMPION_KEY, tags={"dagster/data_version": "1"}))
    asked = [{key: size for key, size in tick().items() if key in (PREDICTIONS_KEY, KEY)} for _ in range(3)]
    assert [one for one in asked if one] == [{PREDICTIONS_KEY: 2, KEY: 2}]
    for year in YEARS:
        instance.report_runless_asset_event(dg.AssetMaterialization(PREDICTIONS_KEY, partition=year))
    apart = [{key: size for key, size in tick().items() if key == KEY} for _ in range(4)]
    assert [one for one in apart if one] == [{KEY: 2}]  # by hand: no run that monitors as well
