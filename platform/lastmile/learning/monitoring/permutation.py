"""How large a statistic of drift is by luck: blocks are exchanged between partition and reference, many times.

Squared differences are multiplied by the effective number of rows, n / (1 + (m - 1) ICC) for blocks of m rows (Kish,
1965), and differences by its root, since exchanged blocks have other sizes. By luck they have the gamma distribution of
the mean and variance found: for independent rows the chi-squared one, for blocks the second-order correction of Rao and
Scott (1984). A p-value is never below one in the number of ways to choose the partition's blocks.
"""

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc, gammainccinv

from lastmile.learning.monitoring.blocks import Blocks

Numbers = NDArray[np.float64]

_PERMUTATIONS = 500
#: Relative variance of numbers that are all the same.
_NONE = 1e-12


@dataclass(frozen=True)
class Exchanged:
    """Which blocks are the partition's: a line per exchange, the first is as they are."""

    chosen: Numbers
    sizes: Numbers
    of_now: int

    @property
    def smallest_p(self) -> float:
        return 1 / max(comb(len(self.sizes), self.of_now), 1)


def exchanged(blocks: Blocks, random: np.random.Generator) -> Exchanged:
    chosen = np.zeros((_PERMUTATIONS + 1, blocks.count))
    chosen[0, : blocks.of_now] = 1
    places = random.random((_PERMUTATIONS, blocks.count)).argsort(axis=1)[:, : blocks.of_now]
    np.put_along_axis(chosen[1:], places, 1, axis=1)
    used = np.concatenate([blocks.now, blocks.then[blocks.then >= 0]])
    return Exchanged(chosen, np.bincount(used, minlength=blocks.count).astype(np.float64), blocks.of_now)


def counts(exchange: Exchanged, by_block: Numbers) -> tuple[Numbers, Numbers]:
    """Counts of the partition and of the reference, a line per exchange and a column per bin."""
    now = exchange.chosen @ by_block
    return now, by_block.sum(axis=0) - now


def weights(exchange: Exchanged, by_block: Numbers) -> Numbers:
    """The effective number of rows of the comparison, by exchange: that of both sides, n N / (n + N)."""
    similar = _intraclass_correlation(by_block[exchange.of_now :])
    now, then = (_effective(chosen, exchange.sizes, similar) for chosen in (exchange.chosen, 1 - exchange.chosen))
    found: Numbers = now * then / np.maximum(now + then, 1e-12)
    return found


def p_value(statistics: Numbers, weights: Numbers) -> float:
    """The p-value of the first of the statistics among the exchanged ones."""
    found = _gamma(statistics, weights)
    return float(gammaincc(found[0], statistics[0] * weights[0] / found[1])) if found else 1.0


def critical(statistics: Numbers, weights: Numbers, alpha: float) -> float:
    """The value that the first of the statistics has by luck in a share `alpha` of cases."""
    found = _gamma(statistics, weights)
    return float(gammainccinv(found[0], alpha) * found[1] / weights[0]) if found and weights[0] > 0 else float("inf")


def _gamma(statistics: Numbers, weights: Numbers) -> tuple[float, float] | None:
    """Shape and scale of the gamma distribution with the mean and variance of the exchanged ones."""
    scaled = (statistics * weights)[1:]
    mean, variance = float(scaled.mean()), float(scaled.var())
    return (mean**2 / variance, variance / mean) if variance > _NONE * mean**2 else None


def _effective(chosen: Numbers, sizes: Numbers, similar: float) -> Numbers:
    rows = chosen @ sizes
    of_block = chosen @ sizes**2 / np.maximum(rows, 1)
    found: Numbers = rows / (1 + np.maximum(of_block - 1, 0) * similar)
    return found


def _intraclass_correlation(by_block: Numbers) -> float:
    """How alike rows of a block are, 0 to 1: of the bins' indicators together, from the analysis of variance."""
    sizes = by_block.sum(axis=1)
    by_block, sizes = by_block[sizes > 0], sizes[sizes > 0]
    rows, count = sizes.sum(), len(sizes)
    if count < 2 or rows <= count:
        return 0.0
    shares, overall = by_block / sizes[:, None], by_block.sum(axis=0) / rows
    between = (sizes[:, None] * (shares - overall) ** 2).sum() / (count - 1)
    within = (sizes[:, None] * shares * (1 - shares)).sum() / (rows - count)
    typical = (rows - (sizes**2).sum() / rows) / (count - 1)
    total = between + (typical - 1) * within
    return float(np.clip((between - within) / total, 0, 1)) if total > 0 else 0.0
