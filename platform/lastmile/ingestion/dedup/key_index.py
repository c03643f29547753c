"""Natural keys seen before in the same drop, over all its batches, at 10 bytes a key.

A key is remembered as a hash of 64 bits and one of 16. A row is called a repeat only where both agree with an earlier
key: among ten million keys the chance that any two different ones do is below 1e-10 (n squared over 2**81). Within a
batch the keys themselves are compared.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

High = NDArray[np.uint64]
Low = NDArray[np.uint16]
#: First and second hashes of some keys, ascending by the first.
Run = tuple[High, Low]

#: Merging takes 32 bytes a key for the moment, so runs end here: ten million keys are then 13 runs and 100 MB.
LONGEST_RUN = 1_000_000


class KeyIndex:
    """The keys of a drop so far, in sorted runs that double in length, so that each is moved few times."""

    def __init__(self, key: Sequence[str]) -> None:
        self._key = list(key)
        self._runs: list[Run] = []

    def first_seen(self, frame: pl.DataFrame) -> pl.Series:
        """True for each row that is the first with its key; a row with a null in its key repeats nothing."""
        key = pl.struct(self._key) if len(self._key) > 1 else pl.col(self._key[0])
        rows = frame.select(
            partial=pl.any_horizontal(pl.col(self._key).is_null()),
            first=key.is_first_distinct(),
            high=key.hash(0),
            low=(key.hash(1) // 2**48).cast(pl.UInt16),
        )
        asked = rows.with_row_index("row").filter(pl.col("first") & ~pl.col("partial")).sort("high")
        is_known = self._known(asked["high"].to_numpy(), asked["low"].to_numpy())
        self._remember(asked.filter(~is_known))
        first = rows["first"].scatter(asked["row"].filter(is_known), False)
        return (first | rows["partial"]).alias("first_seen")

    def _known(self, high: High, low: Low) -> pl.Series:
        is_known = np.zeros(len(high), dtype=np.bool_)
        for run_high, run_low in self._runs:
            place = np.minimum(np.searchsorted(run_high, high), len(run_high) - 1)
            is_known |= (run_high[place] == high) & (run_low[place] == low)
        return pl.Series(is_known, dtype=pl.Boolean)

    def _remember(self, new: pl.DataFrame) -> None:
        if new.height:
            self._runs.append((new["high"].to_numpy(), new["low"].to_numpy()))
        while len(self._runs) > 1 and _are_worth_merging(*self._runs[-2:]):
            self._runs[-2:] = [_merged(*self._runs[-2:])]


def _are_worth_merging(older: Run, newer: Run) -> bool:
    lengths = len(older[0]), len(newer[0])
    return lengths[1] * 2 > lengths[0] and sum(lengths) <= LONGEST_RUN


def _merged(older: Run, newer: Run) -> Run:
    high, low = np.concatenate([older[0], newer[0]]), np.concatenate([older[1], newer[1]])
    order = np.argsort(high, kind="stable")  # two sorted runs: one linear merge
    return high[order], low[order]
