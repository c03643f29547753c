"""Predictions: every household once, by the newest version, in one pass over the years of a run."""

from dataclasses import replace
from typing import Any

import dagster as dg
from household_learning import LEVELS, PREDICTIONS_KEY, VULNERABILITY, learning_assets, learning_resources

from lastmile.orchestration.learning.predictions import prediction_asset


def query(platform, sql: str) -> list[tuple[Any, ...]]:
    with platform.connect() as connection:
        return connection.execute(sql).fetchall()


def test_every_household_gets_one_prediction_also_where_its_level_is_unknown(make, trained) -> None:
    result = make("predictions", "2018", "2019")
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True, True]
    assert query(trained, "SELECT count(*), count(DISTINCT (hhid, survey_year)) FROM predictions.vulnerability") == [
        (400, 400)
    ]


def test_predicting_again_with_a_newer_model_replaces_the_year_and_names_the_version(
    make, trained, candidate, in_use
) -> None:
    make("predictions", "2018", "2019")
    in_use(replace(candidate, data_versions={"recipe": "another", "rows": "the same"}))
    make("predictions", "2018")
    found = query(trained, "SELECT survey_year, model_version, count(*) FROM predictions.vulnerability GROUP BY 1, 2")
    assert sorted(found) == [(2018, "2", 200), (2019, "1", 200)]
    assert sorted(query(trained, "SELECT partition_start::text, model_version FROM registry.predictions")) == [
        ("2018-01-01", "2"),
        ("2019-01-01", "1"),
    ]


def test_the_levels_predicted_are_mostly_the_true_ones(make, trained) -> None:
    make("predictions", "2018", "2019")
    ((share,),) = query(
        trained,
        "SELECT avg((p.vulnerability_level = f.vulnerability_level)::int)::float FROM predictions.vulnerability p"
        " JOIN marts.fct_household_year f USING (hhid) WHERE f.vulnerability_level IS NOT NULL",
    )
    assert share > 0.7


def test_each_year_says_how_many_of_each_level_and_shows_them(make, trained, instance: dg.DagsterInstance) -> None:
    make("predictions", "2018", "2019")
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(PREDICTIONS_KEY, asset_partitions=["2018"]), limit=1
    )
    shown = records.records[0].asset_materialization.metadata
    assert shown["dagster/row_count"].value == sum(shown[level].value for level in LEVELS) == 200
    assert shown["model version"].value == "1"
    assert "data:image/svg+xml;base64," in str(shown["levels"].value)


def test_a_year_without_households_has_no_predictions(make, trained) -> None:
    make("features", "2012")
    result = make("predictions", "2012")
    assert result.success
    assert query(trained, "SELECT rows FROM registry.predictions") == [({},)]


def test_without_a_model_nothing_is_predicted_and_the_check_says_so(make) -> None:
    make("features", "2018", "2019")
    result = make("predictions", "2018", "2019")
    assert result.success
    check = result.get_asset_check_evaluations()[0]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "no version of the model" in (check.description or "")


def test_a_version_that_needs_a_column_which_is_gone_predicts_nothing_and_says_why(
    make, trained, candidate, in_use
) -> None:
    of_before = {"recipe": "another", "rows": "the same"}
    in_use(replace(candidate, features=[*candidate.features, "gone"], data_versions=of_before))
    check = make("predictions", "2018").get_asset_check_evaluations()[0]
    assert not check.passed
    assert "needs gone, which household_vulnerability has no longer" in check.description


def test_a_tampered_model_predicts_nothing(make, trained) -> None:
    trained.store().put("models/vulnerability/1/model.skops", b"something else")
    result = make("predictions", "2018")
    assert not result.success
    assert query(trained, "SELECT count(*) FROM registry.predictions") == [(0,)]


def test_the_schema_names_every_column_of_the_table(make, trained) -> None:
    make("predictions", "2018")
    columns = query(
        trained,
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'predictions'"
        " ORDER BY ordinal_position",
    )
    schema = prediction_asset(VULNERABILITY).metadata_by_key[PREDICTIONS_KEY]["dagster/column_schema"]
    assert [column.name for column in schema.columns] == [name for (name,) in columns]


def test_a_notebook_gets_predictions_as_a_pandas_frame(make, trained, instance: dg.DagsterInstance) -> None:
    make("predictions", "2018", "2019")
    defs = dg.Definitions(assets=learning_assets(), resources=learning_resources(trained))
    found = defs.load_asset_value(PREDICTIONS_KEY, instance=instance, partition_key="2019")
    assert len(found) == 200
    assert set(found["vulnerability_level"]) <= set(LEVELS)
    assert set(found["model_version"]) == {"1"}
