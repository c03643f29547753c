"""What an experiment's verdict is worth: how often it is wrong, and how often it finds what there is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from lastmile.learning.experiments.comparison import Arms, compare
from lastmile.learning.experiments.ratio import sample_ratio
from lastmile.learning.experiments.sequence import planned_size

ALPHA, DAYS, A_DAY = 0.05, 28, 40
PLANNED = DAYS * A_DAY
LOOKS = [(A_DAY * day, datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=day)) for day in range(1, DAYS + 1)]
SIMULATIONS = 500


def shadow(random, effect=0.0, villages=PLANNED, by_village=0.0):
    """Paired squared errors of two versions; rows of a village are harder for one of them, together."""
    cluster = random.integers(0, villages, PLANNED)
    control = random.beta(2, 8, PLANNED)
    differences = random.normal(effect, 0.1, PLANNED) + random.normal(0, by_village, villages)[cluster]
    return Arms(control, control + differences, np.ones(PLANNED), np.ones(PLANNED), pd.factorize(cluster)[0])


def split(random, effect=0.0):
    """Right or wrong answers of two versions, the treatment's share growing while answers become easier."""
    day = np.arange(PLANNED) // A_DAY
    share = np.where(day < 7, 0.1, 0.5)
    treated = random.random(PLANNED) < share
    right = (random.random(PLANNED) < 0.6 + 0.01 * day + effect * treated).astype(float)
    answers = np.where(treated, np.nan, right), np.where(treated, right, np.nan)
    return Arms(*answers, 1 - share, share, np.arange(PLANNED))


def verdicts(simulate, **options):
    """Of each simulated experiment: whether a look was decisive, whether the test at the planned size was."""
    for seed in range(SIMULATIONS):
        found = compare("2", simulate(np.random.default_rng(seed), **options), PLANNED, ALPHA, LOOKS)
        yield found.decisive is not None, found.fixed.significant


@pytest.mark.parametrize(
    ("simulate", "options"),
    [(shadow, {}), (shadow, {"villages": 40, "by_village": 0.1}), (split, {})],
    ids=["shadow", "shadow in villages", "split with a growing share"],
)
def test_equal_versions_looked_at_on_28_days_differ_in_under_5_percent_and_no_more_with_the_test_at_the_end(
    simulate, options
):
    found = list(verdicts(simulate, **options))
    assert np.mean([looked for looked, _ in found]) <= 0.02
    error = np.sqrt(ALPHA * (1 - ALPHA) / SIMULATIONS)  # of the simulation; with 3,000 of each it was 0.034 to 0.046
    assert np.mean([looked or tested for looked, tested in found]) < ALPHA + 2 * error


def test_without_their_villages_equal_versions_would_differ_far_too_often():
    """So that the test above says something of clusters."""
    arms = (shadow(np.random.default_rng(seed), villages=40, by_village=0.1) for seed in range(100))
    rows = np.arange(PLANNED)
    alone = [compare("2", replace(a, cluster=rows), PLANNED, ALPHA, LOOKS) for a in arms]
    assert np.mean([found.fixed.significant for found in alone]) > 0.3


@pytest.mark.parametrize(("simulate", "deviation"), [(shadow, 0.1), (split, None)])
def test_a_true_difference_is_found_in_four_of_five_by_the_planned_size(simulate, deviation):
    variance = deviation**2 if deviation else 0.19 * (0.25 / (0.1 * 0.9) + 0.75 / (0.5 * 0.5))  # by share of rows
    effect = np.sqrt(variance / PLANNED) * np.sqrt(planned_size(1, 1_000_000, ALPHA) / 1_000_000)
    found = [looked or tested for looked, tested in verdicts(simulate, effect=effect)]
    assert 0.75 < np.mean(found) < 0.9


def test_a_large_difference_is_found_long_before_the_planned_size():
    effect = 2 * 0.1 * np.sqrt(planned_size(1, 1_000_000, ALPHA) / 1_000_000 / PLANNED)
    rows = []
    for seed in range(100):
        decisive = compare("2", shadow(np.random.default_rng(seed), effect), PLANNED, ALPHA, LOOKS).decisive
        rows.append(decisive.rows if decisive else PLANNED)
    assert np.median(rows) < PLANNED / 2


def units(counts, share=0.5):
    return pd.DataFrame({"version": np.repeat(["1", "2"], counts), "share": share})


def test_a_ratio_of_48_to_52_at_20_000_units_is_found():
    found = sample_ratio(units([9_600, 10_400]), ["1", "2"])
    assert not found.as_planned
    assert found.p == pytest.approx(1.5e-8, rel=0.1)
    assert "version 1 has 9,600 units (10,000 expected)" in str(found)


def test_ratios_by_chance_are_as_planned_at_every_share():
    random = np.random.default_rng(0)
    found = []
    for _ in range(400):
        few, many = random.binomial(2_000, 0.1), random.binomial(8_000, 0.5)
        parts = [units([2_000 - few, few], 0.1), units([8_000 - many, many], 0.5)]
        found.append(sample_ratio(pd.concat(parts), ["1", "2"]))
    assert np.mean([one.as_planned for one in found]) > 0.99
    assert np.mean([one.p < 0.1 for one in found]) == pytest.approx(0.1, abs=0.04)


def test_three_versions_share_the_treatments_part():
    shares = pd.DataFrame({"version": np.repeat(["1", "2", "3"], [800, 100, 100]), "share": 0.2})
    assert sample_ratio(shares, ["1", "2", "3"]).p == 1
    assert not sample_ratio(shares.assign(share=0.5), ["1", "2", "3"]).as_planned
