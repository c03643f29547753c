"""Whether a partition's columns have the distribution of a reference's, column by column, whatever the number of rows.

    found = drift(rows[names], reference[names], rows["survey"], reference["survey"])
    [one.name for one in found if one.drifted]

Numbers are compared by Kolmogorov and Smirnov's D, categories by chi-squared, and of both the share that is missing.
p-values come from exchanging whole groups (`permutation`), and count for what they are among all tests together
(Benjamini and Hochberg, 1995). What is significant is drift only if it is large as well: with many rows anything is
significant.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lastmile.learning.monitoring.bins import Binned, binned
from lastmile.learning.monitoring.blocks import blocks
from lastmile.learning.monitoring.permutation import (
    Exchanged,
    Numbers,
    counts,
    critical,
    exchanged,
    p_value,
    weights,
)

#: Share of false discoveries among columns said to have drifted.
ALPHA = 0.05
#: PSI from which a distribution is commonly said to have changed (Siddiqi, 2006), and missing values' change of share.
MODERATE_PSI, MODERATE_MISSING = 0.1, 0.05
#: Fewer say nothing.
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Drift:
    """One column. `psi` is above `critical_psi` by luck in one case of twenty.

    `effect` is D of a number, and Cramér's V of a category as it would be with equally many rows on both sides; both
    are 0 to 1. `p_value` is that of the difference between known values, `p_missing` of the share that is missing, and
    `adjusted_p` the smaller of both after Benjamini and Hochberg. `then` and `now` are shares of known values by bin.
    """

    name: str
    test: str
    effect: float
    p_value: float
    psi: float
    critical_psi: float
    missing_then: float
    missing_now: float
    p_missing: float
    adjusted_p: float
    drifted: bool
    labels: tuple[str, ...]
    then: tuple[float, ...]
    now: tuple[float, ...]

    @property
    def words(self) -> str:
        """What has changed, with its size."""
        if abs(self.missing_now - self.missing_then) >= MODERATE_MISSING and self.p_missing <= self.p_value:
            return f"{self.name} (missing {self.missing_now:.0%}, was {self.missing_then:.0%})"
        return f"{self.name} (PSI {self.psi:.2f}, by luck below {self.critical_psi:.2f})"


@dataclass(frozen=True)
class _Compared:
    column: Binned
    effect: float
    p_value: float
    psi: float
    critical_psi: float
    missing_then: float
    missing_now: float
    p_missing: float
    then: Numbers
    now: Numbers

    @property
    def is_large(self) -> tuple[bool, bool]:
        return self.psi >= MODERATE_PSI, abs(self.missing_now - self.missing_then) >= MODERATE_MISSING


def drift(
    now: pd.DataFrame, then: pd.DataFrame, groups_now: pd.Series, groups_then: pd.Series, seed: int = 0
) -> list[Drift]:
    """Each column of `now` against the same of `then`, those that drifted most first; groups are of the rows.

    None where either has fewer than `FEWEST_ROWS`.
    """
    if min(len(now), len(then)) < FEWEST_ROWS:
        return []
    random = np.random.default_rng(seed)
    parts = blocks(groups_now, groups_then, random)
    exchange = exchanged(parts, random)
    found = [_compared(binned(name, now[name], then[name], parts), exchange) for name in now.columns]
    adjusted = _benjamini_hochberg([p for one in found for p in (one.p_value, one.p_missing)]).reshape(-1, 2)
    return sorted(map(_judged, found, adjusted), key=lambda one: (not one.drifted, -one.psi))


def _judged(one: _Compared, adjusted: Numbers) -> Drift:
    return Drift(
        name=one.column.name,
        test="Kolmogorov-Smirnov" if one.column.is_number else "chi-squared",
        effect=one.effect,
        p_value=one.p_value,
        psi=one.psi,
        critical_psi=one.critical_psi,
        missing_then=one.missing_then,
        missing_now=one.missing_now,
        p_missing=one.p_missing,
        adjusted_p=float(adjusted.min()),
        drifted=any(p <= ALPHA and large for p, large in zip(adjusted, one.is_large, strict=True)),
        labels=one.column.labels,
        then=tuple(one.then),
        now=tuple(one.now),
    )


def _compared(column: Binned, exchange: Exchanged) -> _Compared:
    known, missing = column.counts[:, :-1], column.counts[:, -1]
    now, then = counts(exchange, known)
    weight = weights(exchange, known)
    # Of D, since Kolmogorov's tail at 0.001 is two thirds that of the gamma distribution; of its square, a third.
    statistic, scale = (_distance(now, then), weight**0.5) if column.is_number else (_chi_squared(now, then), weight)
    psi = _psi(*((_pairs(now), _pairs(then)) if column.is_number else (now, then)))
    presence = np.stack([known.sum(axis=1), missing], axis=1)
    absent = _chi_squared(*counts(exchange, presence))
    shares_now, shares_then = _shares(now[:1])[0], _shares(then[:1])[0]
    of_now, of_then = missing[: exchange.of_now].sum(), missing[exchange.of_now :].sum()
    return _Compared(
        column=column,
        effect=float(statistic[0]) if column.is_number else _cramers_v(shares_now, shares_then),
        p_value=max(p_value(statistic, scale), exchange.smallest_p),
        psi=float(psi[0]),
        critical_psi=critical(psi, weight, ALPHA),
        missing_then=float(of_then / exchange.sizes[exchange.of_now :].sum()),
        missing_now=float(of_now / exchange.sizes[: exchange.of_now].sum()),
        p_missing=max(p_value(absent, weights(exchange, presence)), exchange.smallest_p),
        then=shares_then,
        now=shares_now,
    )


def _cramers_v(now: Numbers, then: Numbers) -> float:
    both = now + then
    return float(np.sqrt(np.divide((now - then) ** 2, both, where=both > 0, out=0 * both).sum() / 2))


def _shares(of: Numbers) -> Numbers:
    found: Numbers = of / np.maximum(of.sum(axis=1, keepdims=True), 1)
    return found


def _distance(now: Numbers, then: Numbers) -> Numbers:
    """The largest difference between the cumulative shares."""
    found: Numbers = np.abs(np.cumsum(_shares(now) - _shares(then), axis=1)).max(axis=1)
    return found


def _chi_squared(now: Numbers, then: Numbers) -> Numbers:
    """Chi-squared of homogeneity, by effective row."""
    pooled = _shares(now + then)
    found: Numbers = np.divide((_shares(now) - _shares(then)) ** 2, pooled, where=pooled > 0, out=0 * pooled).sum(
        axis=1
    )
    return found


def _psi(now: Numbers, then: Numbers) -> Numbers:
    """The population stability index: sum of (p - q) log(p / q). Both sides have one more row, of the distribution of
    both together, so that an empty bin costs much, but not everything."""
    pooled = _shares(now + then)
    p, q = ((of + pooled) / (of.sum(axis=1, keepdims=True) + 1) for of in (now, then))
    ratio = np.divide(p, q, where=pooled > 0, out=np.ones_like(p))
    found: Numbers = ((p - q) * np.log(ratio)).sum(axis=1)
    return found


def _pairs(of: Numbers) -> Numbers:
    """Neighbouring bins put together: PSI is read against limits that were made for ten."""
    return np.add.reduceat(of, range(0, of.shape[1], 2), axis=1)


def _benjamini_hochberg(p_values: Sequence[float]) -> NDArray[np.float64]:
    """Adjusted p-values: those up to a share are, on average, false in no more than that share."""
    p = np.asarray(p_values)
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    found = np.empty_like(p)
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return found
