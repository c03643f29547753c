"""What an experiment compares versions by: a figure for each row, whose means differ or do not.

Either how well a row was predicted, or, where versions lead to different actions, what became of it: `fewer_poor` is
the share of rows whose answer to the question "poor" is yes, of which a better version leads to fewer.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.metrics import Predicted, Truth, ranked_probability, surprise, values

Rows = NDArray[np.float64]
_ByRow = Callable[[Model, Truth, Predicted], Rows]


def names(model: Model, mode: str) -> list[str]:
    """The metrics that the model's rows can be compared by; the first is the usual one."""
    return list({**_of_predictions(model), **(_of_actions(model) if mode == "split" else {})})


def by_row(model: Model, metric: str, truth: Truth, found: Predicted) -> Rows:
    """The metric of each row; `found` as `training.fitting.predicted` returns it."""
    known = {**_of_predictions(model), **_of_actions(model)}
    return known[metric](model, truth, found)


def higher_is_better(metric: str) -> bool:
    return metric.startswith(("accuracy", "more_", "higher_"))


def _of_predictions(model: Model) -> dict[str, _ByRow]:
    task = model.task
    if not isinstance(task, Classification):
        return {"mean_absolute_error": lambda model, truth, found: np.abs(truth - values(model, found))}
    known: dict[str, _ByRow] = {}
    if task.ordered:
        known["ranked_probability_score"] = lambda _, truth, found: ranked_probability(task, truth, found)
    known["log_loss"] = lambda _, truth, found: surprise(task, truth, found)
    known["accuracy"] = lambda model, truth, found: (truth == values(model, found)).astype(np.float64)
    if task.question:
        known[f"accuracy_{task.question}"] = lambda model, truth, found: (
            np.isin(truth, task.positive) == np.isin(values(model, found), task.positive)
        ).astype(np.float64)
    return known


def _of_actions(model: Model) -> dict[str, _ByRow]:
    task = model.task
    if not isinstance(task, Classification):
        return dict.fromkeys((f"higher_{model.target}", f"lower_{model.target}"), lambda _, truth, found: truth)
    if not task.question:
        return {}
    names = (f"more_{task.question}", f"fewer_{task.question}")
    return dict.fromkeys(names, lambda _, truth, found: np.isin(truth, task.positive).astype(np.float64))
