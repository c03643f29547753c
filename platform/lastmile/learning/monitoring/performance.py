"""How good the champion is on a partition's rows that it was not trained on, next to its evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.metrics import Predicted, higher_is_better, resampled, scores
from lastmile.learning.evaluation.resampling import clusters, count, jackknife, jackknife_error
from lastmile.learning.training.fitting import target

#: With fewer groups the error is not known.
_FEWEST_GROUPS = 3
_FEWEST_ROWS = 20
#: Standard errors by which it is worse than in evaluation; by luck alone one in forty is.
_ERRORS = 2
#: Standard errors in an interval that holds 95 %.
_IN_INTERVAL = 3.92


@dataclass(frozen=True)
class Performance:
    """`error` is the standard error of `score` over groups, None where there are too few of them to know it; `expected`
    is the score of the evaluation, `expected_error` its standard error, 0 where it is not known."""

    metric: str
    rows: int
    groups: int
    score: float
    error: float | None
    expected: float
    expected_error: float

    @property
    def fell(self) -> bool:
        if self.error is None:
            return False
        worse = (self.expected - self.score) * (1 if higher_is_better(self.metric) else -1)
        return worse > _ERRORS * float(np.hypot(self.error, self.expected_error))

    @property
    def words(self) -> str:
        error = "unknown" if self.error is None else f"{self.error:.3f}"
        return (
            f"{self.metric} {self.score:.3f} (standard error {error}) on {self.rows} rows of {self.groups} groups;"
            f" {self.expected:.3f} in evaluation"
        )


def performance(
    model: Model, judged: Mapping[str, Any], rows: pd.DataFrame, predicted: pd.DataFrame
) -> Performance | None:
    """Of labelled rows by the metric that versions are compared by; `judged` are the version's scores.

    None where there are few rows, or rows of one level only, or the evaluation has no such score.
    """
    metric = model.compared_by
    rows, found = _joined(model, rows, predicted)
    is_levels = isinstance(model.task, Classification)
    if len(rows) < _FEWEST_ROWS or metric not in judged or (is_levels and rows[model.target].nunique() < 2):
        return None
    truth, codes = target(model, rows), clusters(rows[model.features.group])
    left_out = resampled(model, truth, found, codes, jackknife(codes), [metric])[metric]
    return Performance(
        metric=metric,
        rows=len(rows),
        groups=rows[model.features.group].nunique(),
        score=scores(model, truth, found, [metric])[metric],
        error=jackknife_error(left_out) if count(codes) >= _FEWEST_GROUPS else None,
        expected=float(judged[metric]),
        expected_error=_error(judged, metric),
    )


def _joined(model: Model, rows: pd.DataFrame, predicted: pd.DataFrame) -> tuple[pd.DataFrame, Predicted]:
    """The rows that are predicted, and what is predicted for each."""
    entity = list(model.features.entity)
    if not len(rows) or not len(predicted):
        return rows.head(0), np.empty((0, 0))
    columns = model.task.probability_columns() if isinstance(model.task, Classification) else [model.target]
    found = rows[entity].merge(predicted[[*entity, *columns]], on=entity, how="left")[columns].to_numpy(np.float64)
    known = ~np.isnan(found[:, 0])
    return rows[known], found[known]


def _error(judged: Mapping[str, Any], metric: str) -> float:
    if metric in judged.get("error", {}):
        return float(judged["error"][metric])
    low, high = judged.get("interval_of", {}).get(metric, (0, 0))
    return float(high - low) / _IN_INTERVAL
