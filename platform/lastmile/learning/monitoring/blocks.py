"""Blocks of rows that resemble each other: what a permutation exchanges between a partition and its reference.

Rows of a survey, or of one customer, are no independent evidence. So whole groups are exchanged, never rows; small
groups are put together until the partition has at most `_BLOCKS`, and a reference that is much larger is sampled.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Codes = NDArray[np.int_]

_BLOCKS = 60
#: Blocks of the reference for each of the partition's: more would lower the variance by less than a tenth.
_RATIO = 8
_FEWEST_OF_REFERENCE = 100


@dataclass(frozen=True)
class Blocks:
    """`now` and `then` number the blocks of the partition's and the reference's rows, from 0 to `count`; the first
    `of_now` are the partition's. A reference row that is not sampled has -1."""

    now: Codes
    then: Codes
    of_now: int
    count: int


def blocks(now: pd.Series, then: pd.Series, random: np.random.Generator) -> Blocks:
    """Of the groups of a partition's rows and of its reference's; a row without a group is one of its own.

    `then` has a group per (group, partition) where a group has rows in many partitions.
    """
    size = max(len(now) // _BLOCKS, 1)
    of_now, of_then = _merged(now, size, random), _merged(then, size, random)
    count = int(of_now.max(initial=-1)) + 1
    most = max(_RATIO * count, _FEWEST_OF_REFERENCE)
    kept = np.full(int(of_then.max(initial=-1)) + 1, -1)
    sampled = random.permutation(len(kept))[:most]
    kept[sampled] = np.arange(len(sampled)) + count
    return Blocks(of_now, kept[of_then] if len(of_then) else of_then, count, count + len(sampled))


def _merged(groups: pd.Series, size: int, random: np.random.Generator) -> Codes:
    """A number per row; groups of fewer than `size` rows are put together, by chance, to about so many."""
    codes, names = pd.factorize(groups, use_na_sentinel=True)
    alone = codes < 0
    codes = codes.astype(np.int_)
    codes[alone] = len(names) + np.arange(alone.sum())
    sizes = np.bincount(codes, minlength=0)
    small = random.permutation(np.flatnonzero(sizes < size))
    large = np.flatnonzero(sizes >= size)
    number = np.empty(len(sizes), dtype=np.int_)
    number[large] = np.arange(len(large))
    number[small] = len(large) + np.cumsum(sizes[small]) // size
    return np.unique(number[codes], return_inverse=True)[1].astype(np.int_)
