"""How far a score would move with other groups: errors are over groups, never over rows, which resemble each other.

codes = clusters(rows["survey"])
replicates = resampled(model, truth, found, codes, bootstrap(codes))["log_loss"]
low, high = interval(replicates, count(codes))
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, t

#: More groups than these are resampled in so many blocks of whole groups.
_MOST_CLUSTERS = 500
_REPLICATES = 1_000
_SEED = 0

Codes = NDArray[np.intp]
#: A line per replicate: how often it has each cluster.
Weights = NDArray[np.float64]


def clusters(groups: Any) -> Codes:
    """The cluster of each row, from 0: its group, or the block of groups it falls into where there are very many."""
    codes = _codes(groups)
    if count(codes) <= _MOST_CLUSTERS:
        return codes
    blocks = np.arange(count(codes)) % _MOST_CLUSTERS
    return np.random.default_rng(_SEED).permutation(blocks)[codes].astype(np.intp)


def _codes(groups: Any) -> Codes:
    """Each row's group as a number from 0; rows without one are a group, too."""
    codes: Codes = pd.factorize(np.asarray(groups), use_na_sentinel=False)[0].astype(np.intp)
    return codes


def count(codes: Codes) -> int:
    """How many clusters there are."""
    return int(codes.max()) + 1 if len(codes) else 0


def bootstrap(codes: Codes) -> Weights:
    """As many clusters as there are, drawn with replacement, again and again."""
    clusters = count(codes)
    drawn = np.random.default_rng(_SEED).multinomial(clusters, np.full(clusters, 1 / clusters), size=_REPLICATES)
    return drawn.astype(np.float64)


def jackknife(codes: Codes) -> Weights:
    """All clusters but one, for each."""
    return 1.0 - np.eye(count(codes))


def interval(replicates: NDArray[np.float64], clusters: int, share: float = 0.95) -> tuple[float, float]:
    """The percentile interval, expanded for few clusters (Hesterberg, 2015, "What teachers should know about the
    bootstrap", section 3.3)."""
    known = replicates[np.isfinite(replicates)]
    if clusters < 2 or not len(known):
        return (-np.inf, np.inf)
    tail = norm.cdf(np.sqrt(clusters / (clusters - 1)) * t.ppf((1 - share) / 2, clusters - 1))
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def jackknife_error(left_out: NDArray[np.float64]) -> float:
    """Standard error from the scores without each cluster (Tukey, 1958): on the safe side with few or uneven clusters
    (MacKinnon, Nielsen and Webb, 2023, where it is called CV3)."""
    known = left_out[np.isfinite(left_out)]
    if len(known) < 2:
        return float("inf")
    return float(np.sqrt((len(known) - 1) * known.var()))


def error_of_mean(of_rows: NDArray[np.float64], groups: Any) -> float:
    """Standard error of a mean over rows that resemble each other within groups (Liang and Zeger, 1986); 0 with fewer
    than two."""
    codes = _codes(groups)
    groups_found = count(codes)
    if groups_found < 2:
        return 0.0
    residuals = np.bincount(codes, of_rows - of_rows.mean())
    return float(np.sqrt(groups_found / (groups_found - 1) * (residuals**2).sum()) / len(of_rows))


def degrees_of_freedom(codes: Codes) -> float:
    """Clusters but one where they are alike in size; fewer where some have most of the rows, and so decide the score
    (Satterthwaite, 1946; the effective number of clusters of Carter, Schnepel and Steigerwald, 2017, for rows that are
    alike within them). At least 1."""
    squared = np.bincount(codes).astype(np.float64) ** 2
    return max(float(squared.sum() ** 2 / (squared**2).sum()) - 1, 1.0)
