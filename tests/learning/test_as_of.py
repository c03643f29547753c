"""What was known on a day: no later row, no later target, and of the features the latest from before a label."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from fields import FIELDS, SEASONS
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.learning import point_in_time
from lastmile.learning.features.as_of import known_at

#: Looked at on the first day of the season; how well they yield is known a hundred days later.
SNAPSHOTS = replace(FIELDS, horizon=timedelta(days=100))


@pytest.mark.parametrize(
    ("day", "seasons"),
    [(date(2020, 12, 31), []), (date(2021, 1, 1), [2020]), (date(2022, 1, 1), [2020, 2021])],
)
def test_what_happened_within_a_partition_is_known_when_it_is_over(rows, day, seasons) -> None:
    known = known_at(FIELDS, rows, day)
    expected = rows[rows["season"].dt.year.isin(seasons)].reset_index(drop=True)
    pd.testing.assert_frame_equal(known, expected)


@pytest.mark.parametrize(
    ("day", "seasons", "labelled"),
    [
        (date(2019, 12, 31), [], []),
        (date(2020, 1, 1), [2020], []),
        (date(2020, 4, 9), [2020], []),
        (date(2020, 4, 10), [2020], [2020]),
        (date(2021, 1, 1), [2020, 2021], [2020]),
        (date(2021, 4, 11), [2020, 2021], [2020, 2021]),
    ],
)
def test_a_snapshot_is_known_at_once_and_its_target_after_the_horizon(rows, day, seasons, labelled) -> None:
    known = known_at(SNAPSHOTS, rows, day)
    assert sorted(set(known["season"].dt.year)) == seasons
    assert sorted(set(known.loc[known["yield_level"].notna(), "season"].dt.year)) == labelled
    inputs = SNAPSHOTS.names()
    expected = rows.loc[rows["season"].dt.year.isin(seasons), inputs].reset_index(drop=True)
    pd.testing.assert_frame_equal(known[inputs], expected)


def test_what_is_known_now_is_left_as_it_is(rows) -> None:
    before = rows.copy()
    known_at(SNAPSHOTS, rows, date(2020, 1, 1))
    pd.testing.assert_frame_equal(rows, before)


@settings(max_examples=40)
@given(
    labels=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), min_size=1, max_size=20),
    facts=st.sets(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=20),
)
def test_a_label_gets_the_latest_row_from_before_it_and_none_from_after(labels, facts) -> None:
    start = np.datetime64("2020-01-01", "us")
    asked = pd.DataFrame({"who": [who for who, _ in labels], "at": [start + np.timedelta64(day) for _, day in labels]})
    known = pd.DataFrame(
        {
            "who": pd.Series([who for who, _ in facts], dtype="int64"),
            "partition_start": pd.Series([start + np.timedelta64(day) for _, day in facts], dtype="datetime64[us]"),
            "day": pd.Series([day for _, day in facts], dtype="float64"),
        }
    )
    found = point_in_time(asked, known, on=["who"], at="at")
    latest = [max((day for who, day in facts if who == one and day <= at), default=None) for one, at in labels]
    assert [None if np.isnan(day) else day for day in found["day"]] == latest
    pd.testing.assert_frame_equal(found[["who", "at"]], asked)


def test_columns_that_labels_have_stay_theirs(rows) -> None:
    labels = pd.DataFrame({"field": ["field 1"], "on": [SEASONS[1] + pd.Timedelta(days=3)], "yield_level": ["mine"]})
    found = point_in_time(labels, rows, on=["field"], at="on", known_from="season")
    assert found["yield_level"].tolist() == ["mine"]
    assert found["rain_mm"].tolist() == rows.loc[rows["field"] == "field 1", "rain_mm"].tolist()


def test_a_label_without_a_time_is_refused(rows) -> None:
    labels = pd.DataFrame({"field": ["field 1"], "on": [pd.NaT]})
    with pytest.raises(ValueError, match="'on' of every label; found 1 without"):
        point_in_time(labels, rows, on=["field"], at="on", known_from="season")
