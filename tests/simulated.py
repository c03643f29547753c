"""Predictions of two models for rows in groups, drawn so that it is known which one is better."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from fields import LEVELS, YIELD, trees, with_inputs
from numpy.typing import NDArray
from scipy.stats import norm

from lastmile.learning import Grouped
from lastmile.learning.evaluation.comparison import Pairs

#: Inputs that tell rows apart, as near-copies need; those of `fields` are too few.
MEASURES = tuple(f"measure_{number}" for number in range(8))


def few_trees() -> Any:
    """Enough to learn from rain, and quick."""
    return trees().set_params(
        histgradientboostingclassifier__max_iter=12, histgradientboostingclassifier__max_leaf_nodes=6
    )


WIDE = replace(YIELD, features=with_inputs(**dict.fromkeys(MEASURES, float)), estimator=few_trees, split=Grouped(3))


def pairs(random: np.random.Generator, sizes: NDArray[np.int_], better: float = 0.0) -> Pairs:
    """Both err by rows and by groups; the candidate less by `better`."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    signal = random.normal(0, 0.7, len(sizes))[groups] + random.normal(0, 1, len(groups))
    cuts = np.digitize(signal + random.normal(0, 1, len(groups)), [-0.6, 0.6])
    truth = np.array(LEVELS[::-1], dtype=object)[cuts]

    def predicted(error: float) -> NDArray[np.float64]:
        seen = signal + random.normal(0, error, len(sizes))[groups] + random.normal(0, error, len(groups))
        low, high = norm.cdf(-0.6 - seen, scale=1.2), 1 - norm.cdf(0.6 - seen, scale=1.2)
        return np.stack([high, 1 - high - low, low], axis=1)

    return Pairs(truth, predicted(0.5 - better), predicted(0.5), groups)


def wide_fields(rows: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The rows with the inputs of `WIDE`."""
    random = np.random.default_rng(seed)
    return rows.assign(**{name: random.lognormal(2, 1, len(rows)) for name in MEASURES})


def near_copies(rows: pd.DataFrame, of: int, count: int, villages: int, noise: float = 0.05) -> pd.DataFrame:
    """`count` copies of the first `of` rows, numbers with noise, under new names of fields and villages, later."""
    random, source = np.random.default_rng(5), np.arange(count) % of
    copies = rows.iloc[source].reset_index(drop=True)
    numbers = [*MEASURES, "rain_mm", "noise"]
    noisy = {name: copies[name] * (1 + random.uniform(-noise, noise, count)) for name in numbers}
    return copies.assign(
        field=[f"copy {number}" for number in range(count)],
        village=[f"flood {number % villages}" for number in range(count)],
        season=pd.Timestamp(2022, 1, 1),
        **noisy,
    ).astype(rows.dtypes.to_dict())
