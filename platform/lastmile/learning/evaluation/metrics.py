"""Scores of predictions, by the names a model declares.

A share of right answers says little where one level is common: 0.85 can be worse than always answering "no". So the
usual ones are those that a dummy cannot get.
"""

from typing import Any

import numpy as np
import sklearn.metrics
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, r2_score, recall_score, roc_auc_score

from lastmile.learning.declarations.model import Classification, Model

Truth = NDArray[Any]
#: As `training.predicted` returns them.
Predicted = NDArray[np.float64]

#: A level that was called impossible and came costs much, but not everything.
_SMALLEST = 1e-6


def scores(model: Model, truth: Truth, found: Predicted) -> dict[str, float]:
    """Each of the model's metrics. Raises ValueError for a name that is no metric of its task."""
    return {name: _score(model, name, truth, found) for name in model.score_names()}


def higher_is_better(name: str) -> bool:
    """By scikit-learn's rule for the names of its functions."""
    return not name.endswith(("_error", "_loss", "ranked_probability_score"))


def values(model: Model, found: Predicted) -> Truth:
    """The likeliest level, or the number, of each row."""
    if isinstance(model.task, Classification):
        levels: Truth = np.array(model.task.levels, dtype=object)
        likeliest: Truth = levels[found.argmax(axis=1)]
        return likeliest
    return found[:, 0]


def _score(model: Model, name: str, truth: Truth, found: Predicted) -> float:
    if isinstance(model.task, Classification):
        if name in (f"pr_auc_{model.task.question}", f"roc_auc_{model.task.question}"):
            return _area_of_question(model.task, truth, found, name.startswith("roc"))
        if name == "ranked_probability_score":
            return float(ranked_probability(model.task, truth, found).mean())
        if name == "log_loss":
            return float(surprise(model.task, truth, found).mean())
        if name in ("pr_auc_macro", "pr_auc_weighted"):
            return _area(model.task, truth, found, weighted=name == "pr_auc_weighted")
    function = getattr(sklearn.metrics, name, None) or getattr(sklearn.metrics, f"{name}_score", None)
    if function is None:
        raise ValueError(
            f"model {model.name}: {name!r} is no metric: expected the name of a function of sklearn.metrics"
        )
    return float(function(truth, values(model, found)))


def _area(task: Classification, truth: Truth, found: Predicted, weighted: bool) -> float:
    """Area under precision and recall of each level against the others, mean over the levels that rows have, plain or
    weighted by how common they are."""
    counts = np.array([(truth == level).sum() for level in task.levels])
    areas = [
        average_precision_score(truth == level, found[:, place]) if counts[place] else 0.0
        for place, level in enumerate(task.levels)
    ]
    return float(np.average(areas, weights=counts if weighted else counts > 0))


def _area_of_question(task: Classification, truth: Truth, found: Predicted, roc: bool) -> float:
    """0 where all answers are the same: no order is right or wrong then."""
    positive, area = np.isin(truth, task.positive), roc_auc_score if roc else average_precision_score
    return float(area(positive, probability_of_yes(task, found))) if 0 < positive.sum() < len(positive) else 0.0


def probability_of_yes(task: Classification, found: Predicted) -> NDArray[np.float64]:
    """Of the question, for each row."""
    yes: NDArray[np.float64] = found[:, [task.levels.index(level) for level in task.positive]].sum(axis=1)
    return yes


def ranked_probability(task: Classification, truth: Truth, found: Predicted) -> NDArray[np.float64]:
    """The ranked probability score of each row, 0 to 1, the lower the better (Epstein, 1969): the squared distance of
    the cumulative probabilities from the truth, mean over the cuts between the levels."""
    after = np.cumsum(found, axis=1)[:, :-1] - np.cumsum(_is_level(task, truth), axis=1)[:, :-1]
    scored: NDArray[np.float64] = (after**2).mean(axis=1)
    return scored


def surprise(task: Classification, truth: Truth, found: Predicted) -> NDArray[np.float64]:
    """Minus the logarithm of the true level's probability, for each row; probabilities are at least a millionth."""
    of_truth = (found * _is_level(task, truth)).sum(axis=1)
    loss: NDArray[np.float64] = -np.log(np.clip(of_truth, _SMALLEST, 1.0))
    return loss


def _is_level(task: Classification, truth: Truth) -> NDArray[np.float64]:
    """A line per row, 1 in the column of its level."""
    return np.stack([truth == level for level in task.levels], axis=1).astype(np.float64)


def recall(task: Classification, truth: Truth, predicted: Truth) -> dict[str, float]:
    """Share of each level's rows that were recognised, for the levels that rows have."""
    present = [level for level in task.levels if (truth == level).any()]
    shares = recall_score(truth, predicted, labels=present, average=None, zero_division=0)
    return {level: float(share) for level, share in zip(present, shares, strict=True)}


def error_of_balanced_accuracy(task: Classification, truth: Truth, predicted: Truth) -> float:
    """Standard error: it is the mean of the levels' recalls, each a share r of n rows with variance r (1 - r) / n."""
    shares = recall(task, truth, predicted)
    variances = [share * (1 - share) / (truth == level).sum() for level, share in shares.items()]
    return float(np.sqrt(sum(variances)) / len(variances))


def quality(model: Model, truth: Truth, predicted: Truth) -> float:
    """What importance is measured in: balanced accuracy of levels, the coefficient of determination of numbers."""
    if isinstance(model.task, Classification):
        return float(np.mean([(predicted[truth == level] == level).mean() for level in set(truth)]))
    return float(r2_score(truth, predicted))
