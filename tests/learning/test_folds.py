"""Folds: groups stay whole, time runs forward, and too little data is refused."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from fields import FIELDS, LEVELS, SEASONS, YIELD, fields
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.learning import ByTime
from lastmile.learning.training.folds import TooLittleData, folds


@settings(max_examples=30)
@given(
    groups=st.lists(st.integers(0, 15), min_size=120, max_size=200),
    levels=st.lists(st.sampled_from(LEVELS), min_size=200, max_size=200),
)
def test_every_row_is_evaluated_once_and_no_group_is_on_both_sides(groups: list[int], levels: list[str]) -> None:
    names = [f"village {group}" for group in groups]
    rows = pd.DataFrame({"village": names, "yield_level": levels[: len(names)]})
    try:
        split = folds(YIELD, rows)
    except TooLittleData:
        return
    assert sorted(place for _, unseen in split for place in unseen) == list(range(len(rows)))
    for training, unseen in split:
        assert not set(rows["village"][training]) & set(rows["village"][unseen])


@pytest.mark.parametrize(
    ("few", "said"),
    [
        (fields(99), "99 labelled rows"),
        (fields(200, villages=1), "1 village"),
        (fields(200).assign(yield_level="low"), "1 levels"),
        (
            fields(200, villages=2).pipe(
                lambda rows: rows.assign(yield_level=np.where(rows["village"] == "village 0", "low", "high"))
            ),
            "only one level is left",
        ),
    ],
)
def test_too_little_data_is_refused_with_what_there_is(few: pd.DataFrame, said: str) -> None:
    with pytest.raises(TooLittleData, match=said):
        folds(YIELD, few)


def test_by_time_a_fold_trains_on_earlier_partitions_only() -> None:
    rows = fields(800).assign(season=pd.date_range("2010-01-01", periods=8, freq="YS").repeat(100))
    split = folds(replace(YIELD, split=ByTime(folds=3)), rows)
    assert len(split) == 3
    for training, unseen in split:
        assert rows["season"].iloc[training].max() < rows["season"].iloc[unseen].min()


def test_by_time_a_fold_trains_on_what_was_known_when_the_next_partition_began() -> None:
    """What came of February's customers within 30 days was not known on the first of March."""
    months = pd.date_range("2011-01-01", periods=4, freq="MS")
    rows = fields(400).assign(season=months.repeat(100))
    model = replace(YIELD, split=ByTime(folds=5), features=replace(FIELDS, horizon=timedelta(days=30)))
    split = folds(model, rows)
    learned = [sorted(set(rows["season"].iloc[training].dt.month)) for training, _ in split]
    assert (learned, [rows["season"].iloc[unseen[0]].month for _, unseen in split]) == (
        [[1], [1], [1, 2, 3]],
        [2, 3, 4],
    )
    with pytest.raises(TooLittleData, match="2 labelled partitions, none of which was known"):
        folds(model, rows[rows["season"].dt.month.isin([2, 3])].reset_index(drop=True))


def test_by_time_one_partition_is_too_little() -> None:
    with pytest.raises(TooLittleData, match="in 1 partitions"):
        folds(replace(YIELD, split=ByTime()), fields().assign(season=SEASONS[0]))
