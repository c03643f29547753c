"""Numbers for a linear model: what is missing is filled and flagged, whatever rows are predicted later."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from lastmile.learning.estimators.numbers import Filled, Logarithm

NUMBERS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2), elements=st.floats(0, 1e12) | st.just(np.nan))


@given(NUMBERS)
def test_known_numbers_stay_and_missing_ones_are_flagged(rows) -> None:
    filled, flags = np.hsplit(Filled().fit(rows).transform(rows), 2)
    missing = np.isnan(rows)
    assert (filled[~missing] == rows[~missing]).all()
    assert (flags == missing).all()
    assert not np.isnan(filled).any()


def test_a_missing_number_is_the_median_of_the_rows_that_were_fitted() -> None:
    fitted = Filled().fit([[1.0, np.nan], [2.0, np.nan], [6.0, np.nan]])
    assert fitted.transform([[np.nan, np.nan]]).tolist() == [[2.0, 0.0, 1.0, 1.0]]


def test_both_work_in_a_pipeline_and_can_be_cloned() -> None:
    pipeline = clone(make_pipeline(Logarithm(), Filled())).fit([[0.0], [np.e - 1]])
    assert pipeline.transform([[np.e**2 - 1], [np.nan]]).tolist() == [[2.0, 0.0], [0.5, 1.0]]
