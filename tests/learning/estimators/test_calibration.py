"""A few labels of a new group correct its level, as far as so few can be trusted."""

import numpy as np
import pytest

from lastmile.learning.estimators.calibration import ErrorParts
from lastmile.learning.evaluation.new_group import gains


def drawn(between: float, within: float, groups: int = 400, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    group = np.repeat(np.arange(groups), size)
    return random.normal(0, between, groups)[group] + random.normal(0, within, len(group)), group


def test_the_parts_of_errors_are_found():
    parts = ErrorParts.of(*drawn(0.7, 1.3))
    assert (parts.between, parts.within) == pytest.approx((0.49, 1.69), rel=0.2)


def test_the_shift_is_the_mean_shrunk_by_how_few_labels_there_are():
    parts = ErrorParts(between=0.5, within=2.0)
    assert parts.shift(np.full(4, 0.8)).shift == pytest.approx(0.4)
    assert parts.shift(np.full(10_000, 0.8)).shift == pytest.approx(0.8, abs=0.01)
    assert parts.shift(np.empty(0)) == ErrorParts(0.0, 2.0).shift(np.full(9, 0.8))
    assert parts.shift(np.full(4, 0.8)).narrower == pytest.approx(np.sqrt(2.25 / 2.5))


def test_labels_gain_where_groups_differ_and_cost_nothing_where_they_do_not():
    of_groups = gains(*drawn(1.0, 1.0, groups=60), labels=[10, 1_000])
    assert [gain.labels for gain in of_groups] == [10]
    assert of_groups[0].after < 0.85 * of_groups[0].before
    (alike,) = gains(*drawn(0.0, 1.0, groups=60), labels=[10])
    assert alike.after == pytest.approx(alike.before, rel=0.01)


def test_one_group_alone_does_not_tell_how_groups_differ():
    with pytest.raises(ValueError, match="expected two groups"):
        ErrorParts.of(np.ones(5), np.zeros(5))
