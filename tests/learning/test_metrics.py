"""Scores: those of scikit-learn, also of rows that count more than once or not at all."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics
from fields import HARVEST, LEVELS, YIELD
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.learning.evaluation.metrics import floor_metric, gain, perfect, resampled, scores, values
from lastmile.learning.evaluation.resampling import (
    bootstrap,
    clusters,
    count,
    degrees_of_freedom,
    interval,
    jackknife,
    jackknife_error,
)

NAMES = (*YIELD.task.metrics(), "accuracy_poor", "hamming_loss")
ANY = replace(YIELD, metrics=NAMES)


def drawn(seed: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, predictions with ties, and groups."""
    random = np.random.default_rng(seed)
    found = random.dirichlet([1, 1, 1], rows).round(1) + 0.01
    truth = random.choice(np.array(LEVELS, dtype=object), rows)
    return truth, found / found.sum(axis=1, keepdims=True), random.integers(0, 6, rows)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    truth, found, _ = drawn(seed)
    answer, poor, yes = np.array(LEVELS)[found.argmax(axis=1)], truth == "low", found[:, 2]
    by_level = [
        sklearn.metrics.average_precision_score(truth == level, found[:, at]) for at, level in enumerate(LEVELS)
    ]
    places = [[LEVELS.index(level) for level in levels] for levels in (truth, answer)]
    assert scores(ANY, truth, found) == pytest.approx(
        {
            "ranked_probability_score": scores(ANY, truth, found)["ranked_probability_score"],
            "log_loss": sklearn.metrics.log_loss(truth, found[:, [0, 2, 1]], labels=["high", "low", "middle"]),
            "quadratic_weighted_kappa": sklearn.metrics.cohen_kappa_score(*places, weights="quadratic"),
            "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(truth, answer),
            "accuracy": sklearn.metrics.accuracy_score(truth, answer),
            "pr_auc_macro": np.mean(by_level),
            "pr_auc_weighted": np.average(by_level, weights=[(truth == level).sum() for level in LEVELS]),
            "roc_auc_poor": sklearn.metrics.roc_auc_score(poor, yes),
            "pr_auc_poor": sklearn.metrics.average_precision_score(poor, yes),
            "accuracy_poor": ((yes > 0.5) == poor).mean(),
            "hamming_loss": (answer != truth).mean(),
        }
    )


def test_the_ranked_probability_score_is_the_squared_distance_of_cumulative_probabilities() -> None:
    found = np.array([[0.5, 0.3, 0.2]])
    for level, distance in (("high", 0.5**2 + 0.2**2), ("middle", 0.5**2 + 0.2**2), ("low", 0.5**2 + 0.8**2)):
        of_level = scores(YIELD, np.array([level], dtype=object), found)["ranked_probability_score"]
        assert of_level == pytest.approx(distance / 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 3), min_size=6, max_size=6).filter(any))
def test_a_weighted_score_is_that_of_rows_repeated_so_often(seed: int, times: list[int]) -> None:
    truth, found, groups = drawn(seed)
    found_scores = resampled(ANY, truth, found, groups, np.array([times, [1] * 6], dtype=float))
    repeated = np.repeat(np.arange(len(truth)), np.array(times)[groups])
    of_repeated = scores(ANY, truth[repeated], found[repeated])
    for name, value in scores(ANY, truth, found).items():
        assert np.nan_to_num(found_scores[name]) == pytest.approx([of_repeated[name], value])


def test_in_many_weightings_areas_of_many_rows_differ_in_the_fourth_decimal() -> None:
    random = np.random.default_rng(4)
    truth = random.choice(np.array(LEVELS, dtype=object), 20_000)
    found = random.dirichlet([1, 1, 1], 20_000) + 0.2 * (truth[:, None] == np.array(LEVELS))
    found /= found.sum(axis=1, keepdims=True)
    plain = scores(YIELD, truth, found)
    twice = resampled(YIELD, truth, found, np.zeros(20_000, dtype=int), np.ones((2, 1)))
    assert {name: of_name[0] for name, of_name in twice.items()} == pytest.approx(plain, abs=5e-4)


def test_scores_of_numbers_are_those_of_scikit_learn_even_where_numbers_are_large() -> None:
    random = np.random.default_rng(1)
    truth = 1e6 + random.normal(0, 1, 200)
    found = (truth + random.normal(0, 0.5, 200)).reshape(-1, 1)
    model = replace(HARVEST, metrics=("mean_absolute_error", "r2_score", "median_absolute_error"))
    assert scores(model, truth, found) == pytest.approx(
        {
            "mean_absolute_error": sklearn.metrics.mean_absolute_error(truth, found),
            "r2_score": sklearn.metrics.r2_score(truth, found),
            "median_absolute_error": sklearn.metrics.median_absolute_error(truth, found),
        }
    )


def test_a_gain_is_positive_for_the_better_score_of_either_kind() -> None:
    assert gain("log_loss", 0.5, 0.7) == pytest.approx(0.2) == gain("accuracy", 0.7, 0.5)
    assert (perfect("log_loss"), perfect("accuracy")) == (0, 1)


def test_the_floor_is_of_the_answer_to_the_question_unless_a_metric_is_named() -> None:
    assert floor_metric(YIELD) == "accuracy_poor"
    assert floor_metric(HARVEST) == "r2_score"
    assert floor_metric(replace(YIELD, floor=replace(YIELD.floor, metric="accuracy"))) == "accuracy"


def test_very_many_groups_are_resampled_in_blocks_of_whole_groups() -> None:
    groups = np.repeat(np.arange(5_000), 2)
    codes = clusters(groups)
    assert count(codes) == 500
    assert (codes[::2] == codes[1::2]).all()
    assert bootstrap(codes).sum(axis=1) == pytest.approx(500)


def test_errors_are_over_groups_not_rows() -> None:
    """Where all rows of a group are alike, a thousand rows of ten groups are ten."""
    random = np.random.default_rng(2)
    right = random.random(10) < 0.5
    truth = np.repeat(np.where(right, "high", "low"), 100).astype(object)
    found = np.tile([0.8, 0.1, 0.1], (1_000, 1))
    codes = clusters(np.repeat(np.arange(10), 100))
    replicates = resampled(YIELD, truth, found, codes, bootstrap(codes), ["accuracy"])["accuracy"]
    without = resampled(YIELD, truth, found, codes, jackknife(codes), ["accuracy"])["accuracy"]
    wanted = right.std(ddof=1) / np.sqrt(10)
    assert jackknife_error(without) == pytest.approx(wanted)
    assert replicates.std() == pytest.approx(wanted, rel=0.1)


def test_an_interval_of_few_groups_is_wider_than_its_percentiles() -> None:
    replicates = np.random.default_rng(3).normal(0, 1, 10_000)
    few, many = interval(replicates, 4), interval(replicates, 400)
    assert few[1] - few[0] > 1.2 * (many[1] - many[0])
    assert many == pytest.approx((-1.96, 1.96), abs=0.1)


def test_uneven_groups_leave_fewer_degrees_of_freedom() -> None:
    assert degrees_of_freedom(np.repeat(np.arange(10), 30)) == pytest.approx(9)
    assert degrees_of_freedom(np.repeat(np.arange(10), [300] + [5] * 9)) == pytest.approx(1, abs=0.1)


def test_the_level_named_is_the_one_most_likely_next_to_how_common_it_is() -> None:
    model = replace(YIELD, task=replace(YIELD.task, common=(0.7, 0.2, 0.1)))
    found = np.array([[0.6, 0.2, 0.2], [0.9, 0.05, 0.05]])
    assert values(YIELD, found).tolist() == ["high", "high"]
    assert values(model, found).tolist() == ["low", "high"]
