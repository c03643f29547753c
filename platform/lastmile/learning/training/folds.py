"""Splitting rows so that a model is evaluated on what it never saw.

Rows of one group resemble each other, so folds keep groups whole: the scores say how the model does on a new group, not
on new rows of a known one.
"""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, TimeSeriesSplit

from lastmile.learning.declarations.model import ByTime, Classification, Model
from lastmile.learning.training.fitting import SEED, target

#: Below this the scores of five folds say nothing.
FEWEST_ROWS = 100

#: Positions of the rows to train on, and of those to evaluate on.
Fold = tuple[NDArray[np.int_], NDArray[np.int_]]


class TooLittleData(Exception):
    """There are not enough rows, groups or levels to train and evaluate a model; the message counts them."""


def folds(model: Model, rows: pd.DataFrame) -> list[Fold]:
    """No row is evaluated twice, nor by a model that saw its group. Raises TooLittleData where that cannot be."""
    if isinstance(model.split, ByTime):
        return _folds_by_time(model, rows, model.split.folds)
    truth, groups = target(model, rows), rows[model.features.group].to_numpy()
    count = min(model.split.folds, rows[model.features.group].nunique())
    levels = set(truth) if isinstance(model.task, Classification) else {"any", "number"}
    if len(rows) < FEWEST_ROWS or count < 2 or len(levels) < 2:
        raise TooLittleData(
            f"{model.features.name} has {len(rows)} labelled rows, {count} {model.features.group} and {len(levels)}"
            f" levels; training needs {FEWEST_ROWS} rows, two {model.features.group} and two levels"
        )
    if not isinstance(model.task, Classification):
        return list(GroupKFold(count, shuffle=True, random_state=SEED).split(truth, groups=groups))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=SEED)
    split = [fold for fold in splitter.split(truth, truth, groups) if len(fold[1])]
    return _with_two_levels(model, model.features.group, truth, split)


def _folds_by_time(model: Model, rows: pd.DataFrame, most: int) -> list[Fold]:
    """Whole partitions: each fold trains on those whose targets were known when the ones it is evaluated on began."""
    times = rows[model.features.partition_column].to_numpy()
    partitions = np.unique(times)
    count = min(most, len(partitions) - 1)
    if len(rows) < FEWEST_ROWS or count < 1:
        raise TooLittleData(
            f"{model.features.name} has {len(rows)} labelled rows in {len(partitions)} partitions; training needs"
            f" {FEWEST_ROWS} rows and two partitions"
        )
    pairs = TimeSeriesSplit(count).split(partitions) if count > 1 else [(np.array([0]), np.array([1]))]
    split = [
        (
            np.flatnonzero(known_before(model, times, partitions[late[0]])),
            np.flatnonzero(np.isin(times, partitions[late])),
        )
        for _, late in pairs
    ]
    split = [fold for fold in split if len(fold[0])]
    if not split:
        raise TooLittleData(
            f"{model.features.name} has {len(partitions)} labelled partitions, none of which was known when the next"
            " one began; training needs one more"
        )
    if not isinstance(model.task, Classification):
        return split
    return _with_two_levels(model, "partition", target(model, rows), split)


def known_before(model: Model, times: NDArray[Any], begin: Any) -> NDArray[np.bool_]:
    """Which rows of these partitions had known targets when the partition `begin` began: what comes after a snapshot
    may reach into the next partition."""
    horizon = np.timedelta64(model.features.horizon or timedelta())
    earlier: NDArray[np.bool_] = (times < begin) & (times + horizon <= begin)
    return earlier


def _with_two_levels(model: Model, part: str, truth: NDArray[Any], split: list[Fold]) -> list[Fold]:
    if any(len(set(truth[training])) < 2 for training, _ in split):
        raise TooLittleData(f"{model.features.name}: without one {part}, only one level is left to learn from")
    return split


def shuffled_folds(model: Model, rows: pd.DataFrame, shuffle: int) -> list[Fold]:
    """Other folds of whole groups. (The seed of StratifiedGroupKFold decides ties only, so its folds hardly change.)

    None where a fold would leave one level to learn from, or where folds are by time.
    """
    if isinstance(model.split, ByTime):
        return []
    truth, groups = target(model, rows), rows[model.features.group]
    count = min(model.split.folds, groups.nunique())
    split = list(GroupKFold(count, shuffle=True, random_state=shuffle).split(truth, groups=groups.to_numpy()))
    return [] if any(len(set(truth[training])) < 2 for training, _ in split) else split
