"""From rows to a verdict: both versions predict, outcomes come later, and the report says what they show."""

import io
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from experimenting import CAUSE, PLAN, keep, without_levels
from fields import FIELDS, HARVEST, YIELD

from lastmile.errors import UserError
from lastmile.learning.experiments import metrics
from lastmile.learning.experiments.experiment import history, start, stop
from lastmile.learning.experiments.exposures import expose
from lastmile.learning.experiments.outcomes import sync
from lastmile.learning.experiments.page import page, picture
from lastmile.learning.experiments.planning import Wish, plan
from lastmile.learning.experiments.report import current_report, looks
from lastmile.learning.experiments.running import Run, run, seen
from lastmile.learning.registry.versions import Candidate, load, register
from lastmile.learning.training.fitting import predicted


@pytest.fixture
def answered(connection, store, shadow, rows):
    """All rows are predicted before their level is known."""
    assert run(connection, store, YIELD, shadow, without_levels(rows)) == Run(300, 0, 0)
    return shadow


def test_a_repeated_run_predicts_nothing_again(connection, store, answered, rows):
    assert run(connection, store, YIELD, answered, rows) == Run(0, 300, 0)


def test_before_outcomes_are_known_nothing_is_decided(connection, store, answered, rows):
    keep(connection, store, without_levels(rows))
    found = current_report(connection, YIELD, answered)
    assert (found.exposed, found.known, found.comparisons[0].looks) == (300, 0, [])
    assert "0 of 200 planned rows have an outcome" in found.verdict
    assert "Not decided between version 2 and version 1" in page(found, history(connection, "learned"))


def test_without_a_table_of_features_there_are_no_outcomes(connection, answered):
    assert sync(connection, YIELD, answered) == 0


def test_outcomes_are_joined_when_they_are_known_and_once(connection, store, answered, rows):
    keep(connection, store, without_levels(rows, rows.index >= 100))
    assert [sync(connection, YIELD, answered) for _ in range(2)] == [100, 0]
    keep(connection, store, rows)
    assert sync(connection, YIELD, answered) == 200


def test_a_corrected_outcome_counts_and_keeps_its_place(connection, store, answered, rows):
    keep(connection, store, rows)
    before = current_report(connection, YIELD, answered)
    keep(connection, store, rows.assign(yield_level=np.where(rows.index < 30, "high", rows["yield_level"])))
    after = current_report(connection, YIELD, answered)
    assert before.known == after.known == 300
    assert before.comparisons[0].fixed.effect != after.comparisons[0].fixed.effect


def test_the_better_version_is_found_and_the_effect_is_that_of_its_scores(connection, store, answered, rows, versions):
    keep(connection, store, rows)
    found = current_report(connection, YIELD, answered)
    truth = rows["yield_level"].to_numpy(dtype=object)
    one, two = (
        metrics.by_row(YIELD, PLAN.metric, truth, predicted(YIELD, load(store, version), rows)) for version in versions
    )
    comparison = found.comparisons[0]
    assert comparison.looks[-1].effect == pytest.approx((two - one).mean(), abs=1e-5)
    assert (comparison.rows, comparison.clusters, comparison.fixed.rows) == (300, rows["village"].nunique(), 200)
    assert found.verdict.startswith("Version 2 is better than version 1: ranked_probability_score -")
    assert found.ratios == {}


def test_the_worse_version_is_called_worse(connection, store, versions, rows):
    experiment = start(connection, replace(PLAN, control="2", treatments=["1"]), CAUSE)
    run(connection, store, YIELD, experiment, without_levels(rows))
    keep(connection, store, rows)
    found = current_report(connection, YIELD, experiment)
    assert found.verdict.startswith("Version 2 is better than version 1: ranked_probability_score +")


def test_before_the_planned_size_there_is_no_test(connection, store, versions, rows):
    experiment = start(connection, replace(PLAN, planned_size=301), CAUSE)
    run(connection, store, YIELD, experiment, without_levels(rows))
    keep(connection, store, rows)
    assert current_report(connection, YIELD, experiment).comparisons[0].fixed is None


def test_in_a_split_each_row_is_predicted_by_its_version_only(connection, store, halves, rows):
    run(connection, store, YIELD, halves, without_levels(rows))
    logged = connection.execute("SELECT version, predictions FROM registry.exposures").fetchall()
    assert {version for version, _ in logged} == {"1", "2"}
    assert all(list(numbers) == [version] for version, numbers in logged)
    keep(connection, store, rows)
    found = current_report(connection, YIELD, halves)
    assert found.trusted
    assert found.comparisons[0].looks[-1].effect < 0


def test_a_ratio_other_than_planned_makes_the_rest_invalid(connection, store, halves, rows):
    versions = pd.Series(np.where(rows.index < 220, "2", "1"), index=rows.index)
    numbers = {
        version: pd.DataFrame(1 / 3, index=rows.index[versions == version], columns=range(3)) for version in "12"
    }
    expose(connection, halves, FIELDS, rows, versions, numbers)
    keep(connection, store, rows)
    found = current_report(connection, YIELD, halves)
    assert not found.trusted
    assert found.verdict.startswith("Not valid: units did not come to the versions in the planned ratio")
    assert "version 2 has 220 units (150 expected)" in found.verdict
    assert "NOT as planned" in page(found, history(connection, "halves"))


def test_outcomes_missing_for_one_version_make_it_invalid_too(connection, store, halves, rows):
    run(connection, store, YIELD, halves, without_levels(rows))
    answered = dict(connection.execute("SELECT unit, version FROM registry.exposures").fetchall())
    lost = (rows["field"].map(answered) == "2") & (rows.index % 2 == 0)
    keep(connection, store, without_levels(rows, lost))
    ratios = current_report(connection, YIELD, halves).ratios
    assert {of: ratio.as_planned for of, ratio in ratios.items()} == {"all units": True, "units with outcomes": False}


def test_rows_that_a_version_was_trained_on_are_left_out(connection, store, shadow, rows):
    trained = rows.assign(season=pd.Timestamp(2019, 1, 1))
    assert run(connection, store, YIELD, shadow, trained) == Run(0, 0, 300)
    assert run(connection, store, YIELD, shadow, without_levels(trained)) == Run(300, 0, 0)


def test_of_a_version_with_a_snapshot_its_very_rows_are_left_out(store, versions, rows):
    snapshot = io.BytesIO()
    rows.head(120).to_parquet(snapshot)
    store.put("snapshots/fields/2.parquet", snapshot.getvalue())
    with_snapshot = replace(versions[1], snapshot_key="snapshots/fields/2.parquet")
    assert list(seen(store, YIELD, [versions[0], with_snapshot], rows)) == [True] * 120 + [False] * 180


def test_of_several_treatments_each_is_compared_with_the_control(connection, store, versions, rows):
    third = register(connection, store, as_registered(store, versions[1], rows="more"))
    plan = replace(PLAN, mode="split", treatments=["2", third.version])
    experiment = start(connection, plan, CAUSE, share=0.6)
    run(connection, store, YIELD, experiment, without_levels(rows))
    keep(connection, store, rows)
    found = current_report(connection, YIELD, experiment)
    assert found.trusted
    assert [one.treatment for one in found.comparisons] == ["2", "3"]
    assert all(one.looks[-1].effect < 0 for one in found.comparisons)
    assert sum(one.rows for one in found.comparisons) > 300 > max(one.rows for one in found.comparisons)
    assert "version 2" in found.verdict
    assert "version 3" in found.verdict


def as_registered(store, version, rows):
    """A candidate with the version's estimator, trained on rows of another name."""
    made_of = {**version.data_versions, "rows": rows}
    return Candidate("fields", load(store, version), FIELDS.name, FIELDS.names(), made_of, {"dummy": {}})


def test_an_experiment_that_ended_answers_no_more_rows(connection, store, shadow, rows):
    with pytest.raises(UserError, match="is stopped"):
        run(connection, store, YIELD, stop(connection, "learned", CAUSE), rows)


def test_the_planned_size_is_larger_for_a_smaller_difference(connection, store, versions, rows):
    keep(connection, store, rows)
    sizes = []
    for detect in (0.02, 0.01):
        planned, basis = plan(connection, store, YIELD, Wish("a", ["2"], detect=detect))
        sizes.append(planned.planned_size)
        assert "300 labelled rows" in basis
        assert planned.control == "1"
    assert sizes[1] == pytest.approx(4 * sizes[0], rel=0.01)


def test_a_split_with_a_small_share_needs_more_rows_than_one_of_halves(connection, store, versions, rows):
    keep(connection, store, rows)
    wishes = [Wish("a", ["2"], mode="split", share=share, detect=0.02) for share in (0.5, 0.1)]
    halves, tenth = (plan(connection, store, YIELD, wish)[0].planned_size for wish in wishes)
    assert tenth > 1.5 * halves


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        ({"metric": "speed"}, "metric 'speed': expected one of ranked_probability_score"),
        ({"unit": ["soil"]}, "expected columns among field, village"),
        ({"treatments": ["1"]}, "compared with itself"),
        ({"treatments": ["9"]}, "fields has no version 9; it has: 1, 2"),
        ({"size": None}, "either --detect, above 0, or --size"),
        ({"detect": 0.1}, "either --detect, above 0, or --size"),
        ({"alpha": 0.6}, "alpha 0.6"),
        ({"mode": "split", "share": 1.5}, "share 1.5"),
        ({"name": "a/b"}, "name 'a/b'"),
        ({"size": None, "detect": 0.1}, "0 rows of fields have a yield_level: the spread needs 100"),
    ],
)
def test_a_wish_that_cannot_be_met_says_why(connection, store, versions, rows, wish, fault):
    keep(connection, store, without_levels(rows))
    with pytest.raises(UserError, match=fault):
        plan(connection, store, YIELD, replace(Wish("a", ["2"], size=10), **wish))


def test_actions_are_compared_in_a_split_only():
    assert metrics.names(YIELD, "split") == [*metrics.names(YIELD, "shadow"), "more_poor", "fewer_poor"]
    assert metrics.names(HARVEST, "split") == ["mean_absolute_error", "higher_harvest_kg", "lower_harvest_kg"]
    truth, found = np.array(["low", "high"], dtype=object), np.array([[1.0, 0, 0], [0.2, 0.8, 0]])
    assert metrics.by_row(YIELD, "fewer_poor", truth, found).tolist() == [1, 0]
    assert metrics.by_row(YIELD, "accuracy_poor", truth, found).tolist() == [0, 1]
    assert not metrics.higher_is_better("fewer_poor")


def test_a_look_is_made_whenever_outcomes_became_known_and_most_looks_are_thinned_out():
    times = pd.Series(pd.to_datetime(["2020-01-01", "2020-01-01", "2020-01-02", "2020-01-02", "2020-01-05"]))
    assert [count for count, _ in looks(times)] == [2, 4, 5]
    many = looks(pd.Series(pd.date_range("2020-01-01", periods=1000)))
    assert (len(many), many[-1][0]) == (60, 1000)


def test_bounds_that_know_no_end_are_null_in_json(connection, store, answered, rows):
    keep(connection, store, without_levels(rows, rows.index > 0))
    (look,) = current_report(connection, YIELD, answered).as_json()["comparisons"][0]["looks"]
    assert (look["rows"], look["low"], look["high"]) == (1, None, None)


def test_the_picture_shows_every_look(connection, store, answered, rows):
    for known in (100, 200, 300):
        keep(connection, store, without_levels(rows, rows.index >= known))
        found = current_report(connection, YIELD, answered)
    svg = ElementTree.fromstring(picture(found, found.comparisons[0]))
    points = svg.find("{http://www.w3.org/2000/svg}polyline").attrib["points"].split()
    assert len(points) == len(found.comparisons[0].looks) == 3
