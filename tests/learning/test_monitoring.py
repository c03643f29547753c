"""Monitoring of a partition: what has changed since the champion was trained, and why that calls for a training."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from fields import FIELDS, SEASONS, WINDOW_2021, YIELD, fields

from lastmile.learning import ByTime
from lastmile.learning.evaluation.metrics import scores
from lastmile.learning.frames import PartitionedFrame, content
from lastmile.learning.monitoring.monitored import Monitored, monitor
from lastmile.learning.monitoring.performance import performance
from lastmile.learning.monitoring.records import record
from lastmile.learning.monitoring.reference import Reference, outside, predictions_by, reference, unseen, within
from lastmile.learning.monitoring.verdicts import drift_reason
from lastmile.learning.predictions.prediction import predictions
from lastmile.learning.registry.deployments import promote, roll_back
from lastmile.learning.registry.events import Cause
from lastmile.learning.registry.versions import Candidate, ModelVersion, register
from lastmile.learning.training.fitting import fit, labelled, predicted, target

WINDOW_2022 = (date(2022, 1, 1), date(2023, 1, 1))
CAUSE = Cause("a test", "pytest")


def season(seed: int) -> pd.DataFrame:
    """New fields in villages of 2022."""
    found = fields(count=300, villages=60, seed=seed)
    new = {"field": "new " + found["field"], "village": "new " + found["village"]}
    return found.assign(**new, season=pd.Timestamp(2022, 1, 1))


@pytest.fixture
def trained() -> pd.DataFrame:
    return fields(count=900, villages=90)


@pytest.fixture
def version(connection, store, trained) -> ModelVersion:
    """The champion, trained on two seasons and evaluated on other fields; its features and predictions are stored."""
    estimator, unseen = fit(YIELD, trained), fields(count=900, villages=90, seed=99)
    judged = scores(YIELD, target(YIELD, unseen), predicted(YIELD, estimator, unseen))
    known = labelled(YIELD, trained)
    partitions = {f"{day:%Y-%m-%d}": content(part) for day, part in known.groupby("season")}
    made_of = {"recipe": "r", "rows": "d", "partitions": partitions}
    candidate = Candidate("fields", estimator, FIELDS.name, FIELDS.names(), made_of, {**judged, "dummy": {}})
    version = register(connection, store, candidate)
    promote(connection, version, None, CAUSE)
    keep(connection, store, "features", trained)
    keep(connection, store, "predictions", predictions(YIELD, version, estimator, trained))
    return version


def keep(connection, store, kind: str, rows: pd.DataFrame) -> None:
    frame = PartitionedFrame(kind, "fields", "season")
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {kind}")
    for start in SEASONS:
        window = (start.date(), date(start.year + 1, 1, 1))
        frame.replace(connection, store, str(start.year), window, within(rows, "season", window))


@pytest.fixture
def monitored(connection, store, version, trained):
    estimator, compared_with = fit(YIELD, trained), reference(YIELD, version, store)

    def monitored(rows: pd.DataFrame, window=WINDOW_2022, held=compared_with) -> Monitored:
        made = predictions(YIELD, version, estimator, rows)
        found = monitor(YIELD, version, held, rows, made, window)
        record(connection, "fields", window, found, "run 1")
        return found

    monitored.reference = compared_with
    return monitored


def test_a_season_like_those_before_has_nothing_to_report(connection, monitored) -> None:
    found = monitored(season(5))
    assert (found.drifted, found.predictions.drifted, found.performance.fell) == ([], False, False)
    assert (found.rows, found.compared_with, found.new) == (300, 900, 300)
    assert drift_reason(connection, "fields") is None


def test_a_dry_season_is_named_and_calls_for_a_training(connection, monitored) -> None:
    rows = season(5)
    found = monitored(rows.assign(rain_mm=rows["rain_mm"] * 0.4))
    assert [one.name for one in found.drifted] == ["rain_mm"]
    assert found.predictions.drifted
    reason = drift_reason(connection, "fields")
    assert reason.startswith("2022-01-01: rain_mm (PSI ")
    assert "predictions of yield_level (PSI " in reason
    stored = connection.execute("SELECT feature FROM registry.drift WHERE drifted ORDER BY 1").fetchall()
    assert stored == [("rain_mm",), ("yield_level",)]


def test_a_season_whose_yields_follow_other_rules_has_a_lower_score(connection, monitored) -> None:
    rows = season(5)
    other = rows.assign(yield_level=rows["yield_level"].map({"high": "low", "low": "high", "middle": "middle"}))
    judged = monitored(other).performance
    assert (judged.metric, judged.rows, judged.fell) == ("ranked_probability_score", 300, True)
    assert judged.score > judged.expected + 2 * judged.error > 0
    assert "performance fell to ranked_probability_score 0." in drift_reason(connection, "fields")


def test_drift_without_new_labels_calls_for_no_training(connection, monitored) -> None:
    rows = season(5)
    unknown = pd.Series(None, index=rows.index, dtype="str")
    found = monitored(rows.assign(rain_mm=rows["rain_mm"] * 0.4, yield_level=unknown))
    assert ([one.name for one in found.drifted], found.new, found.performance) == (["rain_mm"], 0, None)
    assert drift_reason(connection, "fields") is None


def test_a_new_champion_has_no_drift_until_it_is_monitored(connection, store, version, monitored) -> None:
    rows = season(5)
    monitored(rows.assign(rain_mm=rows["rain_mm"] * 0.4))
    made_of = {**version.data_versions, "rows": "others"}
    candidate = Candidate("fields", fit(YIELD, rows), FIELDS.name, FIELDS.names(), made_of, {"dummy": {}})
    promote(connection, register(connection, store, candidate), "1", CAUSE)
    assert drift_reason(connection, "fields") is None
    roll_back(connection, version, CAUSE)
    assert drift_reason(connection, "fields") is not None


def test_rows_it_was_trained_on_are_compared_with_other_seasons_and_are_not_new(monitored, trained) -> None:
    rows = within(trained, "season", WINDOW_2021)
    found = monitored(rows, WINDOW_2021)
    assert (found.new, found.performance) == (0, None)
    assert found.compared_with == len(trained) - len(rows)


def test_of_a_season_that_got_more_rows_those_of_new_villages_are_new(monitored, trained) -> None:
    rows = within(trained, "season", WINDOW_2021)
    added = season(5).assign(season=SEASONS[1])
    known = trained[["field", "village"]]
    held = replace(monitored.reference, known=known)
    found = monitored(pd.concat([rows, added], ignore_index=True), WINDOW_2021, held)
    assert found.new == found.performance.rows == 300


def test_of_a_model_judged_by_time_new_rows_of_known_villages_are_new(monitored, trained) -> None:
    rows = within(trained, "season", WINDOW_2021)
    added = rows.assign(field="again " + rows["field"])
    held = replace(monitored.reference, known=trained[["field", "village"]])
    given, by_time = pd.concat([rows, added], ignore_index=True), replace(YIELD, split=ByTime())
    assert set(unseen(by_time, held, given, WINDOW_2021)["field"]) == set(added["field"])
    assert len(unseen(YIELD, held, given, WINDOW_2021)) == 0


def test_predictions_are_compared_with_those_of_evaluation_where_these_were_kept(monitored, trained) -> None:
    as_kept = trained[["field", "village", "season", "yield_level"]].assign(
        fold=0, probability_high=1.0, probability_middle=0.0, probability_low=0.0
    )
    found = monitored(season(5), held=replace(monitored.reference, held_out=as_kept))
    assert found.predictions.drifted
    assert found.predictions.then[0] == 1


def test_monitoring_again_replaces_what_was_found(connection, monitored) -> None:
    rows = season(5)
    monitored(rows.assign(rain_mm=rows["rain_mm"] * 0.4))
    monitored(rows)
    assert connection.execute("SELECT drifted FROM registry.monitoring").fetchall() == [([],)]
    assert connection.execute("SELECT count(*) FROM registry.drift").fetchone() == (5,)  # four inputs and the target


def test_without_predictions_of_this_version_inputs_are_watched_all_the_same(store, version, monitored) -> None:
    other = replace(version, version="2")
    assert len(predictions_by(YIELD, version, store, ["2020", "2021"])) == 900
    none = predictions_by(YIELD, other, store, ["2020", "2021"])
    rows = season(5)
    found = monitor(YIELD, other, monitored.reference, rows, none, WINDOW_2022)
    assert (len(found.inputs), found.predictions, found.performance) == (4, None, None)


def test_without_other_partitions_there_is_nothing_to_compare_with(version) -> None:
    rows, none = season(5), pd.DataFrame()
    found = monitor(YIELD, version, Reference(none, none, None, {}, None), rows, none, WINDOW_2022)
    assert (found.inputs, found.compared_with, found.predictions) == ([], 0, None)


def test_the_error_of_a_score_is_over_groups_not_rows(rows) -> None:
    """Four copies of each village's rows make the rows more, and what is known of villages not."""
    model = replace(YIELD, metrics=("accuracy",))
    errors = []
    for times in (1, 4):
        more = pd.concat([rows.assign(field=rows["field"] + f" {time}") for time in range(times)], ignore_index=True)
        made = more[["field"]].assign(probability_high=0.2, probability_middle=0.5, probability_low=0.3)
        found = performance(model, {"accuracy": 0.5}, more, made)
        assert found.groups == 12
        errors.append(found.error)
    assert errors[1] == pytest.approx(errors[0], rel=0.01)
    by_village = (rows["yield_level"] == "middle").groupby(rows["village"]).mean()
    assert errors[0] == pytest.approx(by_village.std() / np.sqrt(12), rel=0.35)


def test_of_two_groups_the_error_is_not_known_and_nothing_fell(rows) -> None:
    some = rows[rows["village"].isin(["village 1", "village 2"])]
    made = some[["field"]].assign(probability_high=0.2, probability_middle=0.5, probability_low=0.3)
    found = performance(replace(YIELD, metrics=("accuracy",)), {"accuracy": 1.0}, some, made)
    assert (found.error, found.fell) == (None, False)
    assert "standard error unknown" in found.words


def test_rows_within_and_outside_a_window_are_all_rows(trained) -> None:
    parts = within(trained, "season", WINDOW_2021), outside(trained, "season", WINDOW_2021)
    assert sorted(pd.concat(parts).index) == list(trained.index)
    assert set(parts[0]["season"]) == {SEASONS[1]}
