"""A column as counts by block and bin: all that the tests of drift look at."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lastmile.learning.monitoring.blocks import Blocks

#: Of a number: equally many reference rows in each; of a category: its commonest values, the last one is all others.
NUMBER_BINS, CATEGORY_BINS = 20, 10
OTHER = "(other)"


@dataclass(frozen=True)
class Binned:
    """A column in bins. `counts` has a line per block and a column per bin, the last one for missing values; `labels`
    name the bins of known values."""

    name: str
    is_number: bool
    counts: NDArray[np.float64]
    labels: tuple[str, ...]


def binned(name: str, now: pd.Series, then: pd.Series, blocks: Blocks) -> Binned:
    """Of a column of a partition and of its reference; booleans are categories."""
    is_number = pd.api.types.is_numeric_dtype(now.dtype) and not pd.api.types.is_bool_dtype(now.dtype)
    cut = _numbers if is_number else _categories
    of_now, of_then, labels = cut(now, then)
    bins, width = np.concatenate([of_now, of_then]), len(labels) + 1
    block = np.concatenate([blocks.now, blocks.then])
    used = block >= 0
    places = block[used] * width + bins[used]
    counts = np.bincount(places, minlength=blocks.count * width).reshape(blocks.count, width)
    return Binned(name, is_number, counts.astype(np.float64), labels)


def _numbers(now: pd.Series, then: pd.Series) -> tuple[NDArray[np.int_], NDArray[np.int_], tuple[str, ...]]:
    columns = [column.to_numpy(dtype=np.float64, na_value=np.nan) for column in (now, then)]
    known = columns[1][np.isfinite(columns[1])]
    edges = np.unique(np.quantile(known, np.arange(1, NUMBER_BINS) / NUMBER_BINS)) if len(known) else np.empty(0)
    bounds = [f"{edge:.4g}" for edge in edges]
    labels = [f"≤ {bound}" for bound in bounds] + [f"> {bounds[-1]}" if bounds else "any"]
    found = [np.where(np.isfinite(values), np.searchsorted(edges, values), len(labels)) for values in columns]
    return found[0], found[1], tuple(labels)


def _categories(now: pd.Series, then: pd.Series) -> tuple[NDArray[np.int_], NDArray[np.int_], tuple[str, ...]]:
    columns = [column.astype("object") for column in (now, then)]
    common = pd.concat(columns).value_counts().index[:CATEGORY_BINS]
    kept = common if len(common) < CATEGORY_BINS else common[: CATEGORY_BINS - 1]
    found = []
    for column in columns:
        codes = pd.Index(kept).get_indexer(pd.Index(column))
        other = (codes < 0) & column.notna().to_numpy()
        found.append(np.where(other, len(kept), np.where(codes < 0, len(kept) + 1, codes)))
    return found[0], found[1], (*map(str, kept), OTHER)
