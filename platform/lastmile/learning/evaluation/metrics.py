"""Scores of predictions, by the names a model declares.

A share of right answers says little where one level is common: 0.85 can be worse than always answering "no". So the
usual ones are those that a dummy cannot get.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import sklearn.metrics
from numpy.typing import NDArray
from sklearn.metrics import r2_score, recall_score

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.resampling import Codes, Weights
from lastmile.learning.evaluation.weighted import (
    Scores,
    balanced_accuracy,
    confusion,
    mean,
    precision_area,
    quadratic_kappa,
    r2,
    ratio,
    roc_area,
    sums,
)

Truth = NDArray[Any]
#: As `training.predicted` returns them.
Predicted = NDArray[np.float64]

#: A level that was called impossible and came costs much, but not everything.
_SMALLEST = 1e-6


def scores(model: Model, truth: Truth, found: Predicted, names: Sequence[str] = ()) -> dict[str, float]:
    """Each of the model's metrics, or these; 0 where the rows cannot tell, such as all of one answer.

    Raises ValueError for a name that is no metric of its task.
    """
    once = resampled(model, truth, found, np.zeros(len(truth), dtype=np.intp), np.ones((1, 1)), names)
    return {name: float(np.nan_to_num(of_name[0])) for name, of_name in once.items()}


def resampled(
    model: Model, truth: Truth, found: Predicted, codes: Codes, weights: Weights, names: Sequence[str] = ()
) -> dict[str, Scores]:
    """The same by weighting: `codes` has the cluster of each row, `weights` a column per cluster; NaN where the rows
    of a weighting cannot tell."""
    given = (truth, found, codes, weights)
    names = names or model.score_names()
    if isinstance(model.task, Classification):
        return {name: _of_levels(model, model.task, name, *given) for name in names}
    return {name: _of_numbers(model, name, *given) for name in names}


def higher_is_better(name: str) -> bool:
    """By scikit-learn's rule for the names of its functions."""
    return not name.endswith(("_error", "_loss", "ranked_probability_score"))


def perfect(name: str) -> float:
    """What a prediction without a fault scores."""
    return 1.0 if higher_is_better(name) else 0.0


def gain(name: str, better: float, worse: float) -> float:
    """How much the first score is better than the second, positive whether the metric is a gain or a loss."""
    return better - worse if higher_is_better(name) else worse - better


def floor_metric(model: Model) -> str:
    """What the model's floor is of: the accuracy of the answer to its question, or of its levels, or R²."""
    if model.floor.metric:
        return model.floor.metric
    if isinstance(model.task, Classification):
        return f"accuracy_{model.task.question}" if model.task.question else "accuracy"
    return "r2_score"


def values(model: Model, found: Predicted) -> Truth:
    """The level named, or the number, of each row."""
    if isinstance(model.task, Classification):
        levels: Truth = np.array(model.task.levels, dtype=object)
        named: Truth = levels[places(model.task, found)]
        return named
    return found[:, 0]


def places(task: Classification, found: Predicted) -> NDArray[np.intp]:
    """Which level is named for each row: the likeliest, or where the task says how common they are, the one whose
    probability is highest next to that."""
    evidence = found / np.array(task.common) if task.common else found
    named: NDArray[np.intp] = evidence.argmax(axis=1)
    return named


def _of_levels(
    model: Model, task: Classification, name: str, truth: Truth, found: Predicted, codes: Codes, weights: Weights
) -> Scores:
    if name == "ranked_probability_score":
        return mean(ranked_probability(task, truth, found), codes, weights)
    if name == "log_loss":
        return mean(surprise(task, truth, found), codes, weights)
    if name in ("accuracy", "balanced_accuracy", "quadratic_weighted_kappa"):
        return _of_counts(name, _counted(task, truth, found, codes, weights))
    if name in ("pr_auc_macro", "pr_auc_weighted"):
        return _area_of_levels(task, truth, found, codes, weights, name == "pr_auc_weighted")
    if task.question and name in [f"{what}_{task.question}" for what in ("accuracy", "pr_auc", "roc_auc")]:
        return _of_question(name, np.isin(truth, task.positive), probability_of_yes(task, found), codes, weights)
    return _by_scikit_learn(model, name, truth, values(model, found), codes, weights)


def _of_numbers(model: Model, name: str, truth: Truth, found: Predicted, codes: Codes, weights: Weights) -> Scores:
    if name == "mean_absolute_error":
        return mean(np.abs(truth - found[:, 0]), codes, weights)
    if name == "r2_score":
        return r2(truth, found[:, 0], codes, weights)
    return _by_scikit_learn(model, name, truth, found[:, 0], codes, weights)


def _counted(
    task: Classification, truth: Truth, found: Predicted, codes: Codes, weights: Weights
) -> NDArray[np.float64]:
    true = is_level(task, truth).argmax(axis=1)
    return confusion(true, places(task, found), len(task.levels), codes, weights)


def _of_counts(name: str, counted: NDArray[np.float64]) -> Scores:
    if name == "accuracy":
        return ratio(np.trace(counted, axis1=1, axis2=2), counted.sum(axis=(1, 2)))
    return balanced_accuracy(counted) if name == "balanced_accuracy" else quadratic_kappa(counted)


def _of_question(
    name: str, positive: NDArray[np.bool_], yes: NDArray[np.float64], codes: Codes, weights: Weights
) -> Scores:
    if name.startswith("accuracy"):  # of the likelier answer
        return mean(((yes > 0.5) == positive).astype(np.float64), codes, weights)
    if name.startswith("roc_auc"):
        return roc_area(positive, yes, codes, weights)
    both = np.isin(mean(positive.astype(np.float64), codes, weights), (0, 1), invert=True)
    return np.where(both, precision_area(positive, yes, codes, weights), np.nan)


def _area_of_levels(
    task: Classification, truth: Truth, found: Predicted, codes: Codes, weights: Weights, by_frequency: bool
) -> Scores:
    """Area under precision and recall of each level against the others, mean over the levels that rows have, plain or
    weighted by how common they are."""
    members = is_level(task, truth).T
    areas = [precision_area(of == 1, column, codes, weights) for of, column in zip(members, found.T, strict=True)]
    common = np.stack([sums(of_level, codes, weights) for of_level in members])
    weight = common if by_frequency else common > 0
    return ratio((np.nan_to_num(np.stack(areas)) * weight).sum(axis=0), weight.sum(axis=0))


def _by_scikit_learn(model: Model, name: str, truth: Truth, answer: Truth, codes: Codes, weights: Weights) -> Scores:
    function = getattr(sklearn.metrics, name, None) or getattr(sklearn.metrics, f"{name}_score", None)
    if function is None:
        raise ValueError(
            f"model {model.name}: {name!r} is no metric: expected the name of a function of sklearn.metrics"
        )
    times = weights.astype(np.intp)
    chosen = (np.repeat(np.arange(len(truth)), line[codes]) for line in times)
    return np.array([float(function(truth[rows], answer[rows])) if len(rows) else np.nan for rows in chosen])


def probability_of_yes(task: Classification, found: Predicted) -> NDArray[np.float64]:
    """Of the question, for each row."""
    yes: NDArray[np.float64] = found[:, [task.levels.index(level) for level in task.positive]].sum(axis=1)
    return yes


def ranked_probability(task: Classification, truth: Truth, found: Predicted) -> NDArray[np.float64]:
    """The ranked probability score of each row, 0 to 1, the lower the better (Epstein, 1969): the squared distance of
    the cumulative probabilities from the truth, mean over the cuts between the levels."""
    after = np.cumsum(found, axis=1)[:, :-1] - np.cumsum(is_level(task, truth), axis=1)[:, :-1]
    scored: NDArray[np.float64] = (after**2).mean(axis=1)
    return scored


def surprise(task: Classification, truth: Truth, found: Predicted) -> NDArray[np.float64]:
    """Minus the logarithm of the true level's probability, for each row; probabilities are at least a millionth."""
    of_truth = (found * is_level(task, truth)).sum(axis=1)
    loss: NDArray[np.float64] = -np.log(np.clip(of_truth, _SMALLEST, 1.0))
    return loss


def is_level(task: Classification, truth: Truth) -> NDArray[np.float64]:
    """A line per row, 1 in the column of its level."""
    return np.stack([truth == level for level in task.levels], axis=1).astype(np.float64)


def recall(task: Classification, truth: Truth, predicted: Truth) -> dict[str, float]:
    """Share of each level's rows that were recognised, for the levels that rows have."""
    present = [level for level in task.levels if (truth == level).any()]
    shares = recall_score(truth, predicted, labels=present, average=None, zero_division=0)
    return {level: float(share) for level, share in zip(present, shares, strict=True)}


def quality(model: Model, truth: Truth, predicted: Truth) -> float:
    """What importance is measured in: balanced accuracy of levels, the coefficient of determination of numbers."""
    if isinstance(model.task, Classification):
        return float(np.mean([(predicted[truth == level] == level).mean() for level in set(truth)]))
    return float(r2_score(truth, predicted))
