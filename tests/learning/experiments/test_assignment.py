"""Assignment: the same for everybody, in the planned ratio, and for good."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from lastmile.learning.experiments.assignment import assigned, place, units

SALTS, SHARES = some.text(min_size=1, max_size=20), some.floats(0, 1)
VERSIONS = some.lists(some.sampled_from("23456"), min_size=1, max_size=4, unique=True)


@given(SALTS, some.text())
def test_a_unit_has_one_place_from_0_to_below_1(salt, unit):
    assert 0 <= place(salt, unit) < 1
    assert place(salt, unit) == place(salt, unit)


@given(SALTS, some.text(), some.tuples(SHARES, SHARES).map(sorted), VERSIONS)
def test_a_growing_share_moves_no_unit_back_nor_to_another_treatment(salt, unit, shares, treatments):
    before, after = (assigned(salt, unit, share, "1", treatments) for share in shares)
    assert after == before or before == "1"


@given(SALTS, some.text(), VERSIONS)
def test_without_a_share_all_are_control_and_with_all_of_it_none_is(salt, unit, treatments):
    assert assigned(salt, unit, 0, "1", treatments) == "1"
    assert assigned(salt, unit, 1, "1", treatments) in treatments


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_treatments_get_their_share_and_divide_it_evenly(share):
    found = pd.Series([assigned("a salt", f"unit {number}", share, "1", ["2", "3"]) for number in range(20_000)])
    shares = found.value_counts(normalize=True)
    error = 4 * np.sqrt(share / 2 / 20_000)
    assert shares["2"] == pytest.approx(share / 2, abs=error)
    assert shares["3"] == pytest.approx(share / 2, abs=error)


def test_experiments_are_independent_of_each_other():
    places = np.array([[place(salt, f"unit {number}") for number in range(4_000)] for salt in ("one", "other")])
    assert abs(np.corrcoef(places)[0, 1]) < 0.05


def test_a_place_is_the_one_it_was_in_every_release():
    """Another hash would move units of running experiments."""
    assert place("salt", "unit") == 0.43392528539988073


def test_units_are_texts_of_their_columns_and_of_several_a_list():
    rows = pd.DataFrame({"hhid": ["a", "b|c"], "year": [2019, 2020]}, index=[7, 3])
    assert units(rows, ["hhid"]).to_dict() == {7: "a", 3: "b|c"}
    assert units(rows, ["hhid", "year"]).to_dict() == {7: '["a", "2019"]', 3: '["b|c", "2020"]'}
