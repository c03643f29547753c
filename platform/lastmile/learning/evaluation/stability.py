"""How far the scores hang on how the rows were split, and how the model does on the newest partition."""

from typing import Any

import numpy as np
import pandas as pd

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.metrics import scores
from lastmile.learning.training.fitting import fit, predicted, target
from lastmile.learning.training.folds import FEWEST_ROWS, known_before, shuffled_folds

#: Other folds than the main ones, and the most rows that they are worth their time for: of more, folds hardly differ.
_SHUFFLES, _MOST_ROWS = 2, 5_000


def shuffled_scores(model: Model, rows: pd.DataFrame) -> list[dict[str, float]]:
    """The scores of other grouped folds, one by one; none where rows are many, or where each fold is a search."""
    if len(rows) > _MOST_ROWS or model.search:
        return []
    splits = [shuffled_folds(model, rows, shuffle) for shuffle in range(1, _SHUFFLES + 1)]
    return [_scores(model, rows, split) for split in splits if split]


def _scores(model: Model, rows: pd.DataFrame, split: list[Any]) -> dict[str, float]:
    found = [predicted(model, fit(model, rows.iloc[training]), rows.iloc[unseen]) for training, unseen in split]
    places = np.concatenate([unseen for _, unseen in split])
    return scores(model, target(model, rows.iloc[places]), np.concatenate(found))


def spread(main: dict[str, float], others: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """By score, its value in each shuffle, the main one first, and their standard deviation."""
    if not others:
        return {}
    by_name = {name: [of[name] for of in (main, *others)] for name in main}
    return {name: {"scores": values, "spread": float(np.std(values, ddof=1))} for name, values in by_name.items()}


def out_of_time(model: Model, rows: pd.DataFrame) -> dict[str, Any]:
    """The scores on the last partition of a model fitted on the earlier ones, with its `rows` and `partition`; empty
    where there are not two partitions, or too few rows before the last."""
    times = rows[model.features.partition_column]
    earlier = rows[known_before(model, times.to_numpy(), times.to_numpy().max())]
    last = rows[times == times.max()]
    if len(earlier) < FEWEST_ROWS or not len(last):
        return {}
    if isinstance(model.task, Classification) and earlier[model.target].nunique() < 2:
        return {}
    found = scores(model, target(model, last), predicted(model, fit(model, earlier), last))
    return {**found, "rows": len(last), "partition": str(pd.Timestamp(times.max()).date())}
