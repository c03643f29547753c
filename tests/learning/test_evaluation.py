"""Evaluation: honest on unseen groups, next to a dummy that a model of noise does not beat."""

from dataclasses import replace

import numpy as np
import pytest
from fields import HARVEST, LEVELS, YIELD, fields

from lastmile.learning import ByTime
from lastmile.learning.evaluation.evaluation import Evaluation, train_and_evaluate
from lastmile.learning.evaluation.metrics import gain, higher_is_better, perfect, scores


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return train_and_evaluate(YIELD, fields()).evaluation


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


def test_a_number_is_evaluated_by_the_metrics_of_numbers_and_beats_the_mean() -> None:
    evaluation = train_and_evaluate(HARVEST, fields()).evaluation
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
