"""Drift: found where a distribution has changed, and not where only luck or new groups have."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy.stats import chi2, false_discovery_control

from lastmile.learning.monitoring.drift import _benjamini_hochberg, drift

COLUMNS = 12


def survey(seed: int, rows: int, groups: int, alike: float = 0.0, shift: float = 0.0) -> tuple[pd.DataFrame, pd.Series]:
    """Normal, skewed and categorical columns, a tenth missing; a share `alike` of the variance is between groups. The
    first column is shifted by so many standard deviations."""
    random = np.random.default_rng(seed)
    group, columns = random.integers(0, groups, rows), {}
    for number in range(COLUMNS):
        values = np.sqrt(alike) * random.normal(size=groups)[group] + np.sqrt(1 - alike) * random.normal(size=rows)
        values += shift if number == 0 else 0
        known = random.random(rows) > 0.1
        if number % 3 == 2:
            levels = np.digitize(values, [-1, -0.3, 0.4, 1.2]).astype(str)
            columns[f"level_{number}"] = pd.Series(levels, dtype="str").where(known)
        else:
            columns[f"number_{number}"] = np.where(known, np.exp(values) if number % 3 else values, np.nan)
    return pd.DataFrame(columns), pd.Series(group)


def drifted(seed: int, now: dict, then: dict) -> set[str]:
    (rows, groups), (others, of_others) = survey(2 * seed, **now), survey(2 * seed + 1, **then)
    return {one.name for one in drift(rows, others, groups, of_others) if one.drifted}


ALONE, SURVEYS = {"rows": 2000, "groups": 2000}, {"rows": 2000, "groups": 60, "alike": 0.3}


@pytest.mark.parametrize(
    ("now", "then"),
    [
        pytest.param({"rows": 50, "groups": 50}, ALONE, id="independent rows"),
        pytest.param({"rows": 50, "groups": 5, "alike": 0.3}, SURVEYS, id="five new surveys"),
        pytest.param({"rows": 600, "groups": 3, "alike": 0.3}, SURVEYS, id="three large new surveys"),
    ],
)
def test_without_drift_less_than_one_partition_in_ten_has_an_alarm_of_any_column(now, then) -> None:
    alarms = sum(bool(drifted(seed, now, then)) for seed in range(40))
    assert alarms < 4 + 2  # of 40: less than 10 %, and one standard error (1.9)


@pytest.mark.parametrize(
    ("now", "then", "least"),
    [
        pytest.param({"rows": 200, "groups": 200, "shift": 0.5}, {"rows": 2000, "groups": 2000}, 19, id="rows"),
        pytest.param(
            {"rows": 400, "groups": 8, "alike": 0.1, "shift": 0.8}, SURVEYS | {"alike": 0.1}, 17, id="surveys"
        ),
    ],
)
def test_a_moderate_shift_is_found_and_named(now, then, least) -> None:
    found = [drifted(seed, now, then) for seed in range(20)]
    assert sum("number_0" in names for names in found) >= least
    assert sum(len(names - {"number_0"}) for names in found) <= 4  # in 20 partitions of 12 columns


def test_values_that_go_missing_are_drift_though_the_known_ones_are_as_before() -> None:
    (rows, groups), (others, of_others) = survey(1, 300, 300), survey(2, 2000, 2000)
    rows["number_1"] = rows["number_1"].where(np.random.default_rng(0).random(300) > 0.4)
    first = drift(rows, others, groups, of_others)[0]
    assert (first.name, first.drifted) == ("number_1", True)
    assert first.p_value > 0.01 > first.p_missing
    assert "missing 4" in first.words


def test_a_category_that_is_new_is_drift() -> None:
    (rows, groups), (others, of_others) = survey(3, 300, 300), survey(4, 2000, 2000)
    rows.loc[:150, "level_2"] = "never seen"
    first = drift(rows, others, groups, of_others)[0]
    assert (first.name, first.drifted, first.test) == ("level_2", True, "chi-squared")
    assert 0.3 < first.effect <= 1


def test_the_critical_psi_of_independent_rows_is_that_of_chi_squared() -> None:
    """With a denominator that sampling of the reference changes little: 50 rows against at most 480."""
    (rows, groups), (others, of_others) = survey(5, 50, 50), survey(6, 400, 400)
    found = {one.name: one for one in drift(rows, others, groups, of_others)}["number_0"]
    known, of_known = 50 * (1 - found.missing_now), 400 * (1 - found.missing_then)
    assert found.critical_psi == pytest.approx(chi2.ppf(0.95, 9) * (1 / known + 1 / of_known), rel=0.2)


def test_what_is_significant_but_small_is_no_drift() -> None:
    (rows, groups), (others, of_others) = survey(7, 20_000, 20_000, shift=0.1), survey(8, 20_000, 20_000)
    found = {one.name: one for one in drift(rows, others, groups, of_others)}["number_0"]
    assert found.adjusted_p < 0.001
    assert not found.drifted


def test_a_single_new_survey_unlike_others_by_one_column_is_no_alarm_yet() -> None:
    assert drifted(9, {"rows": 300, "groups": 1, "alike": 0.3, "shift": 1.5}, SURVEYS) == set()


def test_few_rows_say_nothing() -> None:
    (rows, groups), (others, of_others) = survey(1, 19, 19), survey(2, 2000, 2000)
    assert drift(rows, others, groups, of_others) == []


def test_the_same_rows_give_the_same_answer_and_rows_of_no_group_are_their_own() -> None:
    (rows, _), (others, of_others) = survey(1, 100, 100), survey(2, 500, 500)
    nowhere = pd.Series([None] * 100)
    one, other = (drift(rows, others, nowhere, of_others) for _ in range(2))
    assert one == other
    assert not any(column.drifted for column in one)


@pytest.mark.parametrize("values", [[1.0], [np.nan], [np.inf, 1.0], [True, False]], ids=str)
def test_a_column_that_cannot_differ_does_not(values) -> None:
    rows = pd.DataFrame({"same": (values * 200)[:200]})
    (found,) = drift(rows, rows, pd.Series(range(200)), pd.Series(range(200)))
    assert not found.drifted
    assert found.psi == pytest.approx(0, abs=1e-9)


@settings(max_examples=50)
@given(some.lists(some.floats(0, 1), min_size=1, max_size=30))
def test_p_values_are_adjusted_as_scipy_does(p_values) -> None:
    np.testing.assert_allclose(_benjamini_hochberg(p_values), false_discovery_control(p_values), atol=1e-12)
