"""Intervals of numbers hold what they say on new groups, and probabilities are checked against what happened."""

import numpy as np
import pytest
from fields import LEVELS, YIELD

from lastmile.learning import Classification, Regression
from lastmile.learning.evaluation.calibration import calibration
from lastmile.learning.evaluation.conformal import conformal, half_width
from lastmile.learning.evaluation.interval import bounds


def numbers(random: np.random.Generator, groups: int, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, predictions that err by groups as by rows, in proportion to the number, and groups."""
    group = np.repeat(np.arange(groups), rows)
    found = random.lognormal(1, 1, groups * rows)
    error = random.normal(0, 0.2, groups)[group] + random.normal(0, 0.2, groups * rows)
    return found * np.exp(error), found, group


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("log", [False, True])
def test_an_interval_holds_new_groups_rows_in_the_share_wanted(coverage: float, log: bool) -> None:
    """Over 200 drawings of 20 groups, each tried on 50 new groups."""
    random, task = np.random.default_rng(1), Regression(coverage=coverage, log=log)
    shares = []
    for _ in range(200):
        truth, found, groups = numbers(random, 20, 15)
        interval = conformal(task, truth, found, groups, groups % 5)
        new, new_found, _ = numbers(random, 50, 10)
        low, high = bounds(interval, new_found)
        shares.append(((low <= new) & (new <= high)).mean())
    assert np.mean(shares) == pytest.approx(coverage, abs=0.025)


def test_the_coverage_found_agrees_with_the_one_wanted_but_for_its_error() -> None:
    random, task = np.random.default_rng(2), Regression(coverage=0.9, log=True)
    off = []
    for _ in range(100):
        truth, found, groups = numbers(random, 25, 12)
        interval = conformal(task, truth, found, groups, groups % 5)
        off.append(abs(interval["found"] - 0.9) / interval["error"])
    assert np.mean(np.array(off) < 2) > 0.85


def test_coverage_is_checked_by_errors_of_other_folds() -> None:
    """A fold whose errors are all larger than those of the others is not covered, though its own would cover it."""
    truth, groups = np.r_[np.full(80, 1.0), np.full(20, 5.0)], np.arange(100)
    interval = conformal(Regression(coverage=0.9), truth, np.zeros(100), groups, np.repeat([0, 1], [80, 20]))
    assert interval["found"] == pytest.approx(0.8)


def test_rows_of_few_groups_that_err_alike_give_a_wider_interval() -> None:
    errors = np.repeat(np.arange(1.0, 21.0), 30)
    alike, apart = half_width(errors, errors, 0.88), half_width(errors, np.arange(600), 0.88)
    assert alike > apart


def test_an_interval_on_a_logarithmic_scale_is_a_factor() -> None:
    low, high = bounds({"half_width": np.log(2), "log": True}, np.array([10.0, 1.0]))
    assert low == pytest.approx([5, 0.5])
    assert high == pytest.approx([20, 2])


def answers(random: np.random.Generator, slope: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Levels whose chance of "low" has a logit of `slope` times the predicted one, plus `shift`."""
    logit = random.normal(0, 1.5, 20_000)
    low = random.random(20_000) < 1 / (1 + np.exp(-(slope * logit + shift)))
    chance = 1 / (1 + np.exp(-logit))
    return np.where(low, "low", "high").astype(object), np.stack([1 - chance, 0 * chance, chance], axis=1)


@pytest.mark.parametrize(("slope", "shift"), [(1, 0), (0.5, 0), (1, 0.7)])
def test_calibration_finds_probabilities_that_are_too_extreme_or_too_low(slope: float, shift: float) -> None:
    truth, found = answers(np.random.default_rng(4), slope, shift)
    assert isinstance(YIELD.task, Classification)
    result = calibration(YIELD.task, truth, found)
    assert result["slope"] == pytest.approx(slope, abs=0.06)
    assert result["intercept"] == pytest.approx(shift, abs=0.06)


def test_the_curve_counts_every_row_once_from_unlikely_to_likely() -> None:
    truth, found = answers(np.random.default_rng(5), 1, 0)
    assert isinstance(YIELD.task, Classification)
    curve = calibration(YIELD.task, truth, found)["curve"]
    predicted, observed, rows = zip(*curve, strict=True)
    assert (len(curve), sum(rows)) == (10, 20_000)
    assert list(predicted) == sorted(predicted)
    assert predicted == pytest.approx(observed, abs=0.03)


def test_without_question_each_level_is_calibrated_and_one_that_never_came_has_no_slope() -> None:
    truth, found = answers(np.random.default_rng(6), 1, 0)
    by_level = calibration(Classification(LEVELS), truth, found)
    assert by_level.keys() == set(LEVELS)
    assert by_level["low"]["slope"] == pytest.approx(1, abs=0.06)
    assert by_level["middle"]["slope"] is None
