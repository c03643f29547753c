"""Rows that are near-copies of each other: the same household under several names, a file sent twice with some noise.

Copies on both sides of a fold make a model look good that has learned them by heart. Two rows are near-copies where at
least 90 % of the columns that tell rows of a group apart agree, numbers within a tenth of each other, and where the
agreeing values are together so rare that chance does not explain it. Candidates are found by locality-sensitive
hashing (Indyk and Motwani, 1998): rows that share the cells of a random choice of columns, on a grid with a random
offset, for several such choices. So the work grows with the rows, not with their pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lastmile.learning.declarations.feature_set import FeatureSet

#: Of the columns in which one of two rows has a value.
_AGREEING = 0.9
#: Numbers agree within this share of the larger one: two copies with 5 % noise each differ by up to 10.5 %.
_TOLERANCE = 0.105
#: Bits that agreeing values must have together: by chance one pair of rows in 2^30 agrees so.
_BITS = 30.0
#: A column that has one value in more than this share of a group's rows, in most groups, tells no rows apart.
_CONSTANT = 0.9
#: Bits of one value at most: where neighbours share a value, it says less than its rarity.
_MOST_BITS = 6.0
#: Widths of cells on a logarithmic scale: as far as numbers agree, and so wide that noise seldom crosses a border.
_FINE, _COARSE = 0.2, 0.5
_CELLS, _SMALLEST = 2**16, 1e-6
_MIX = np.uint64(0x9E3779B97F4A7C15)
#: Choices of columns, and comparisons of a row within the rows that share its cells.
_CHOICES, _ROUNDS = 12, 3
#: Columns of a choice: as many as tell so many rows apart by chance, within these bounds. More cells, more noise lost.
_FEWEST_COLUMNS, _MOST_COLUMNS = 6, 11
#: Rows that the worth of columns and values is measured on.
_SAMPLE = 20_000
_ROWS_AT_ONCE = 100_000
_SEED = 0


@dataclass(frozen=True)
class _Columns:
    """A line per row: numbers, or codes of categories, NaN where unknown. `bits` says of each column how rare each of
    its cells is."""

    values: NDArray[np.float32]
    numeric: NDArray[np.bool_]
    bits: list[NDArray[np.float32]]


def near_duplicates(features: FeatureSet, rows: pd.DataFrame, names: Sequence[str]) -> NDArray[np.intp]:
    """The cluster of each row, by its inputs `names`: near-copies have the same. Memory is about 10 bytes a value."""
    columns = _informative(features, rows, names)
    first_of = np.arange(len(rows))  # of each row, the first row of its cluster
    if columns.values.shape[1] < _FEWEST_COLUMNS:
        return first_of
    random = np.random.default_rng(_SEED)
    for _ in range(_CHOICES):
        firsts = np.flatnonzero(first_of == np.arange(len(rows)))
        one, other = _copies(columns, firsts, random)
        if len(one):
            first_of = _joined(firsts, one, other, len(rows))[first_of]
    return first_of


def _informative(features: FeatureSet, rows: pd.DataFrame, names: Sequence[str]) -> _Columns:
    """The columns that tell rows of a group apart."""
    categories = set(features.names("categorical"))
    groups = pd.factorize(rows[features.group], use_na_sentinel=False)[0]
    some = np.sort(np.random.default_rng(_SEED).permutation(len(rows))[:_SAMPLE])
    values, numeric, bits = [], [], []
    for name in names:
        number = name not in categories
        column = _numbers(rows[name], number)
        cells = _cells(column[some], number, _FINE, 0.0)
        if not _constant(cells, groups[some]):
            values.append(column)
            numeric.append(number)
            bits.append(_rarity(cells, groups[some]))
    return _Columns(
        np.stack(values, axis=1) if values else np.empty((len(rows), 0), np.float32), np.array(numeric), bits
    )


def _numbers(column: pd.Series, number: bool) -> NDArray[np.float32]:
    if number:
        return column.to_numpy(dtype=np.float32, na_value=np.nan)
    codes = pd.factorize(column)[0].astype(np.float32)
    return np.where(codes < 0, np.float32(np.nan), codes)


def _cells(column: NDArray[np.float32], number: bool, width: float, offset: float) -> NDArray[np.uint16]:
    """The cell of each value: of categories their code, of numbers the place on a logarithmic grid; 0 if unknown."""
    if not number:
        return (np.nan_to_num(column, nan=-1.0) % (_CELLS - 1) + 1).astype(np.uint16) * ~np.isnan(column)
    size = np.floor(np.log(np.maximum(np.abs(column), _SMALLEST)) / width + offset)
    signed = np.where(column < 0, _CELLS * 3 // 4, _CELLS // 4) + size
    return np.nan_to_num(np.where(np.abs(column) < _SMALLEST, 1, signed), nan=0.0).astype(np.uint16)


def _constant(cells: NDArray[np.uint16], groups: NDArray[np.intp]) -> bool:
    """Whether in most groups nearly all rows have the same value."""
    counted = pd.Series(1, index=pd.MultiIndex.from_arrays([groups, cells])).groupby(level=[0, 1]).sum()
    by_group = counted.groupby(level=0)
    return bool((by_group.max() / by_group.sum()).median() > _CONSTANT)


def _rarity(cells: NDArray[np.uint16], groups: NDArray[np.intp]) -> NDArray[np.float32]:
    """Bits that a value in each cell says: all groups weigh the same, so one that floods makes nothing common."""
    weights = 1 / np.bincount(groups)[groups]
    share = np.bincount(cells, weights, minlength=_CELLS) / weights.sum()
    rarity: NDArray[np.float32] = -np.log2(np.maximum(share, 2.0**-_MOST_BITS)).astype(np.float32)
    rarity[0] = 0  # unknown
    return rarity


def _copies(
    columns: _Columns, rows: NDArray[np.intp], random: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of near-copies among the rows that share the cells of some columns: each row is compared with the first of
    its bucket, and if it is no copy, with the first of those that are none."""
    order, bucket = _buckets(columns, rows, random)
    pairs = []
    for _ in range(_ROUNDS):
        starts = np.append(True, np.diff(bucket) != 0)[: len(bucket)]
        leader = order[np.flatnonzero(starts)[np.cumsum(starts) - 1]] if len(order) else order
        order, bucket, leader = order[~starts], bucket[~starts], leader[~starts]
        alike = _alike(columns, order, leader)
        pairs.append((leader[alike], order[alike]))
        order, bucket = order[~alike], bucket[~alike]
    return np.concatenate([one for one, _ in pairs]), np.concatenate([other for _, other in pairs])


def _buckets(
    columns: _Columns, rows: NDArray[np.intp], random: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
    """The rows sorted by bucket, and their buckets, without those that are alone."""
    worth = np.array([np.mean(bits[bits < _MOST_BITS]) if (bits < _MOST_BITS).any() else 1.0 for bits in columns.bits])
    # A wide cell says about a bit less than a fine one.
    wanted = int(np.clip(np.log2(len(rows)) / max(worth.mean() - 1, 0.5), _FEWEST_COLUMNS, _MOST_COLUMNS))
    chosen = random.choice(len(worth), min(wanted, len(worth)), replace=False, p=worth / worth.sum())
    bucket = np.zeros(len(rows), dtype=np.uint64)
    for at in chosen:
        cells = _cells(columns.values[rows, at], bool(columns.numeric[at]), _COARSE, random.random())
        bucket = (bucket ^ cells) * _MIX
        bucket ^= bucket >> np.uint64(29)
    order = np.argsort(bucket, kind="stable")
    bucket, sorted_rows = bucket[order], rows[order]
    same = bucket[1:] == bucket[:-1]
    shared = np.append(same, False) | np.append(False, same)
    return sorted_rows[shared], bucket[shared]


def _alike(columns: _Columns, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.bool_]:
    parts = range(0, len(one), _ROWS_AT_ONCE)
    found = [_part_alike(columns, one[at : at + _ROWS_AT_ONCE], other[at : at + _ROWS_AT_ONCE]) for at in parts]
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)


def _part_alike(columns: _Columns, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.bool_]:
    first, second = columns.values[one], columns.values[other]
    tolerance = np.where(columns.numeric, np.float32(_TOLERANCE), np.float32(0))
    agree = np.abs(first - second) <= tolerance * np.maximum(np.abs(first), np.abs(second))  # unknown ones do not
    known = ~(np.isnan(first) & np.isnan(second))
    alike: NDArray[np.bool_] = agree.sum(axis=1) >= _AGREEING * known.sum(axis=1)
    likely = np.flatnonzero(alike)
    said = np.zeros(len(likely), dtype=np.float32)
    for at, bits in enumerate(columns.bits):
        said += agree[likely, at] * bits[_cells(first[likely, at], bool(columns.numeric[at]), _FINE, 0.0)]
    alike[likely] = said >= _BITS
    return alike


def _joined(firsts: NDArray[np.intp], one: NDArray[np.intp], other: NDArray[np.intp], rows: int) -> NDArray[np.intp]:
    """The first row of the cluster that each of `firsts` is in, when those paired are joined; of other rows, itself."""
    places = np.searchsorted(firsts, np.stack([one, other]))
    graph = coo_array((np.ones(len(one), dtype=bool), tuple(places)), shape=(len(firsts), len(firsts)))
    cluster = connected_components(graph, directed=False)[1]
    first_of_cluster = firsts[np.unique(cluster, return_index=True)[1]]
    joined = np.arange(rows)
    joined[firsts] = first_of_cluster[cluster]
    return joined
