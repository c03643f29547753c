"""Evaluation: honest on unseen groups, next to a dummy that a model of noise does not beat."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fields import FIELDS, HARVEST, LEVELS, SEASONS, YIELD, fields

from lastmile.learning import ByTime
from lastmile.learning.evaluation import held_out
from lastmile.learning.evaluation.evaluation import Evaluation, Trained, train_and_evaluate
from lastmile.learning.evaluation.held_out import predictions
from lastmile.learning.evaluation.metrics import gain, higher_is_better, perfect, scores
from lastmile.learning.evaluation.stability import out_of_time
from lastmile.learning.evaluation.subgroups import within_groups
from lastmile.learning.training.fitting import fit, predicted, target

FAIR = replace(YIELD, features=replace(YIELD.features, fairness=("soil", "rain_mm")))


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train_and_evaluate(FAIR, fields())


@pytest.fixture(scope="module")
def evaluation(trained: Trained) -> Evaluation:
    return trained.evaluation


@pytest.fixture(scope="module")
def harvest() -> Trained:
    return train_and_evaluate(HARVEST, fields())


def test_a_model_that_learned_something_beats_the_dummy_in_every_score(evaluation: Evaluation) -> None:
    assert all(gain(name, value, evaluation.dummy[name]) > 0.1 for name, value in evaluation.scores.items())


def test_the_dummy_knows_only_how_common_each_level_is(evaluation: Evaluation) -> None:
    common = [sum(row) / 300 for row in evaluation.confusion]
    first, first_two = common[0], common[0] + common[1]
    assert evaluation.dummy == pytest.approx(
        {
            "ranked_probability_score": (first * (1 - first) + first_two * (1 - first_two)) / 2,
            "log_loss": -sum(share * np.log(share) for share in common),
            "quadratic_weighted_kappa": 0,
            "balanced_accuracy": 1 / 3,
            "accuracy": max(common),
            "pr_auc_macro": 1 / 3,
            "pr_auc_weighted": sum(share**2 for share in common),
            "roc_auc_poor": 1 / 2,
            "pr_auc_poor": common[2],
        }
    )


def test_a_model_of_noise_is_no_better_than_the_dummy() -> None:
    rows = fields()
    mixed = rows["yield_level"].sample(frac=1, random_state=1).to_numpy()
    evaluation = train_and_evaluate(YIELD, rows.assign(yield_level=mixed)).evaluation
    error = evaluation.error["balanced_accuracy"]
    assert evaluation.scores["balanced_accuracy"] < evaluation.dummy["balanced_accuracy"] + 2 * error


def test_what_only_marks_the_group_is_worth_nothing_on_new_groups() -> None:
    """Learned by heart it is worth everything, as long as groups are split between training and judging."""
    random = np.random.default_rng(3)
    luck = {f"village {number}": random.choice(LEVELS) for number in range(60)}
    rows = fields(600, villages=60)
    marked = rows.assign(
        noise=rows["village"].str.slice(8).astype(float),
        rain_mm=0.0,
        soil="loam",
        irrigated=False,
        yield_level=rows["village"].map(luck),
    )
    every_row_a_group = marked.assign(village=marked["field"])
    assert train_and_evaluate(YIELD, every_row_a_group).evaluation.scores["balanced_accuracy"] > 0.9
    assert train_and_evaluate(YIELD, marked).evaluation.scores["balanced_accuracy"] < 0.55


def test_the_confusion_matrix_counts_every_row_once(evaluation: Evaluation) -> None:
    assert sum(map(sum, evaluation.confusion)) == evaluation.rows == 300


def test_recall_is_what_the_confusion_matrix_says(evaluation: Evaluation) -> None:
    for place, level in enumerate(LEVELS):
        row = evaluation.confusion[place]
        assert evaluation.recall[level] == pytest.approx(row[place] / sum(row))
    assert np.mean(list(evaluation.recall.values())) == pytest.approx(evaluation.scores["balanced_accuracy"])


def test_what_makes_the_level_is_important_and_noise_is_not(evaluation: Evaluation) -> None:
    assert evaluation.importance["rain_mm"] > 0.1 > evaluation.importance["noise"] + 0.05


def test_a_perfect_prediction_scores_one_and_levels_no_row_has_are_left_out() -> None:
    truth = np.array(["high", "low", "low"], dtype=object)
    found = np.array([[1.0, 0, 0], [0, 0, 1], [0, 0, 1]])
    found_scores = scores(YIELD, truth, found)
    assert found_scores == {name: perfect(name) for name in found_scores}


def test_scores_are_kept_as_plain_numbers_beside_the_dummys(evaluation: Evaluation) -> None:
    kept = evaluation.as_json()
    assert kept["dummy"].keys() == {name for name, value in kept.items() if isinstance(value, float)}
    assert kept["judged_on"] == {"rows": 300, "groups": 12, "folds": 5}
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept


def test_what_each_fold_predicted_is_kept_with_the_row_it_was_for(trained: Trained) -> None:
    rows, kept = fields(), trained.held_out
    assert list(kept.columns[:5]) == ["field", "village", "season", "yield_level", "fold"]
    assert (kept["field"] == rows["field"]).all()
    assert (kept.groupby("village")["fold"].nunique() == 1).all()
    assert scores(YIELD, target(YIELD, kept), predictions(YIELD, kept)) == trained.evaluation.scores


def test_each_score_has_an_error_and_an_interval_over_groups_that_holds_it(evaluation: Evaluation) -> None:
    assert evaluation.interval_of.keys() == evaluation.error.keys() == evaluation.scores.keys()
    for name, (low, high) in evaluation.interval_of.items():
        assert low < evaluation.scores[name] < high
        assert 0 < evaluation.error[name] < high - low


def test_scores_within_groups_do_not_count_telling_groups_apart() -> None:
    """Villages of one level are separated without a fault; within a village of two levels all rows look the same."""
    truth = np.array(["low"] * 50 + ["high"] * 50 + ["low", "high"] * 25, dtype=object)
    chance = np.repeat([0.9, 0.1, 0.5], 50)
    found = np.stack([1 - chance, 0 * chance, chance], axis=1)
    villages = pd.Series(np.repeat(["a", "b", "c"], 50))
    assert scores(YIELD, truth, found)["roc_auc_poor"] > 0.8
    assert within_groups(YIELD, truth, found, villages)["roc_auc_poor"] == 0.5
    assert within_groups(YIELD, truth[:100], found[:100], villages[:100]) == {}


def test_the_newest_partition_is_predicted_from_the_earlier_ones(evaluation: Evaluation) -> None:
    rows = fields()
    earlier, last = rows[rows["season"] < SEASONS[1]], rows[rows["season"] == SEASONS[1]]
    found = scores(YIELD, target(YIELD, last), predicted(YIELD, fit(YIELD, earlier), last))
    assert evaluation.out_of_time == {**found, "rows": len(last), "partition": "2021-01-01"}
    assert out_of_time(YIELD, last) == {}


def test_other_shuffles_of_the_groups_say_how_far_the_scores_hang_on_the_folds(evaluation: Evaluation) -> None:
    assert evaluation.shuffles.keys() == evaluation.scores.keys()
    for name, shuffled in evaluation.shuffles.items():
        assert shuffled["scores"][0] == evaluation.scores[name]
        assert len(shuffled["scores"]) == 3
        assert shuffled["spread"] > 0
        assert shuffled["spread"] == pytest.approx(np.std(shuffled["scores"], ddof=1))


def test_scores_are_compared_by_the_values_of_what_should_be_served_alike(evaluation: Evaluation) -> None:
    assert evaluation.fairness.keys() == {"soil", "rain_mm"}
    soils, quarters = evaluation.fairness["soil"], evaluation.fairness["rain_mm"]
    assert soils.keys() == {"clay", "loam", "sand"}
    assert sum(soil["rows"] for soil in soils.values()) == 300
    assert [quarter["rows"] for quarter in quarters.values()] == pytest.approx([75] * 4, abs=1)
    assert {*evaluation.scores, "rows", "error", "observed", "predicted"} == soils["clay"].keys()
    driest, *_, wettest = quarters.values()
    assert driest["observed"] > 0.5 > wettest["observed"]


def test_a_fairness_column_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="fairness column 'colour' is not a column"):
        replace(FIELDS, fairness=("colour",))


def test_the_floor_stands_next_to_the_dummy(evaluation: Evaluation, harvest: Trained) -> None:
    assert evaluation.floor["metric"] == "accuracy_poor"
    assert evaluation.floor["score"] > evaluation.floor["dummy"] > 0.5
    assert harvest.evaluation.floor["metric"] == "r2_score"


def test_a_number_has_an_interval_and_a_level_its_calibration(evaluation: Evaluation, harvest: Trained) -> None:
    interval = harvest.evaluation.interval
    assert interval["found"] == pytest.approx(0.9, abs=0.06)
    assert 500 < interval["half_width"] < 1500  # luck has a standard deviation of 500 kg
    assert 0.2 < evaluation.calibration["slope"] < 2
    assert (evaluation.interval, harvest.evaluation.calibration) == ({}, {})


def test_of_many_rows_a_bounded_number_is_evaluated_and_the_same_ones_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_out, "MOST_ROWS", 150)
    rows = fields()
    some, later = held_out.sampled(FIELDS, rows), held_out.sampled(FIELDS, rows.iloc[10:].reset_index(drop=True))
    assert len(some) == len(later) == 150
    assert len(set(some["field"]) & set(later["field"])) >= 140
    assert some["field"].is_monotonic_increasing


def test_a_number_is_evaluated_by_the_metrics_of_numbers_and_beats_the_mean(harvest: Trained) -> None:
    evaluation = harvest.evaluation
    assert evaluation.scores["r2_score"] > 0.6 > abs(evaluation.dummy["r2_score"]) + 0.5
    assert evaluation.scores["mean_absolute_error"] < evaluation.dummy["mean_absolute_error"] / 2
    assert evaluation.importance["rain_mm"] > 0.1
    assert (evaluation.confusion, evaluation.recall) == ([], {})


def test_by_time_only_what_comes_later_is_evaluated() -> None:
    rows = fields()
    evaluation = train_and_evaluate(replace(YIELD, split=ByTime()), rows).evaluation
    assert evaluation.rows == (rows["season"] == rows["season"].max()).sum()
    assert evaluation.folds == 1


def test_metrics_are_those_declared_and_any_of_scikit_learn() -> None:
    truth = np.array(["high", "low", "low"], dtype=object)
    found = np.array([[1.0, 0, 0], [1, 0, 0], [0, 0, 1]])
    model = replace(YIELD, metrics=("accuracy", "hamming_loss"))
    assert scores(model, truth, found) == pytest.approx({"accuracy": 2 / 3, "hamming_loss": 1 / 3})
    assert higher_is_better("accuracy")
    assert not higher_is_better("hamming_loss")


def test_a_metric_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="'luck' is no metric"):
        scores(replace(YIELD, metrics=("luck",)), np.array(["low"], dtype=object), np.array([[0.0, 0, 1]]))
