"""How good a model is, beside a dummy that knows only how common each level is.

A share of right answers says little where one level is common: 0.85 can be worse than always answering "no". So the
scores are those that a dummy cannot get, and the dummy's stand next to them.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.metrics import average_precision_score, balanced_accuracy_score, confusion_matrix, recall_score
from sklearn.pipeline import Pipeline

from lastmile.learning.feature_set import FeatureSet
from lastmile.learning.training import SEED, Fold, fit, folds, inputs, one_thread, probabilities, quiet, target

#: Rows of a fold that importance is measured on: enough for two decimals, and seconds however many rows there are.
_ROWS_FOR_IMPORTANCE = 2_000


@dataclass(frozen=True)
class Evaluation:
    """Scores of predictions for rows of groups the model did not see; `dummy` has the same names.

    `recall` is by level. `confusion` counts rows, true level by predicted level, in the levels' order. `importance` is
    the balanced accuracy lost when a feature's values are shuffled, mean over the folds. `error` is the standard error
    of the balanced accuracy.
    """

    scores: Mapping[str, float]
    dummy: Mapping[str, float]
    error: float
    recall: Mapping[str, float]
    confusion: list[list[int]]
    importance: Mapping[str, float]
    rows: int
    groups: int
    folds: int

    def as_json(self) -> dict[str, Any]:
        """The scores by name, and under names of their own everything else."""
        return {
            **self.scores,
            "dummy": dict(self.dummy),
            "recall": dict(self.recall),
            "confusion": self.confusion,
            "importance": dict(self.importance),
            "error": {"balanced_accuracy": self.error},
            "judged_on": {"rows": self.rows, "groups": self.groups, "folds": self.folds},
        }


def train_and_judge(features: FeatureSet, rows: pl.DataFrame) -> tuple[Pipeline, Evaluation]:
    """A model of all rows, and how good models made alike are: each row is predicted by one trained on other groups.

    All are fitted side by side, each on one thread. Raises TooLittleData.
    """
    split = folds(features, rows)
    with quiet(), ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        model = pool.submit(fit, features, rows)  # first, since it has the most rows
        judged = list(pool.map(partial(_judge, features, rows), split))
        return model.result(), _evaluation(features, rows, split, judged)


def _judge(features: FeatureSet, rows: pl.DataFrame, fold: Fold) -> tuple[NDArray[np.float64], dict[str, float]]:
    training, judging = fold
    model = fit(features, rows[training])
    return probabilities(features, model, rows[judging]), importance(features, model, rows[judging])


def _evaluation(
    features: FeatureSet,
    rows: pl.DataFrame,
    split: Sequence[Fold],
    judged: Sequence[tuple[NDArray[np.float64], dict[str, float]]],
) -> Evaluation:
    found = np.zeros((rows.height, len(features.levels)))
    for (_, judging), (of_fold, _) in zip(split, judged, strict=True):
        found[judging] = of_fold
    truth = target(features, rows)
    # Of all rows, because one that learned by fold would call too rare what the fold has more of.
    dummy = DummyClassifier(strategy="prior").fit(inputs(features, rows), truth)
    predicted = np.array(features.levels, dtype=object)[found.argmax(axis=1)]
    return Evaluation(
        scores=scores(features, truth, found),
        dummy=scores(features, truth, probabilities(features, dummy, rows)),
        error=_error_of_balanced_accuracy(features, truth, predicted),
        recall=recall(features, truth, predicted),
        confusion=confusion_matrix(truth, predicted, labels=list(features.levels)).tolist(),
        importance={name: float(np.mean([loss[name] for _, loss in judged])) for name in features.names()},
        rows=rows.height,
        groups=rows[features.group].n_unique(),
        folds=len(split),
    )


def scores(features: FeatureSet, truth: NDArray[np.object_], found: NDArray[np.float64]) -> dict[str, float]:
    """Balanced accuracy of the likeliest level; area under precision and recall, mean over levels, weighted by how
    common they are, and for the yes-or-no question. Levels that no row has are left out."""
    levels = np.array(features.levels, dtype=object)
    present = [place for place, level in enumerate(levels) if (truth == level).any()]
    areas = np.array([average_precision_score(truth == levels[place], found[:, place]) for place in present])
    common = np.array([(truth == levels[place]).mean() for place in present])
    return {
        "balanced_accuracy": float(balanced_accuracy_score(truth, levels[found.argmax(axis=1)])),
        "pr_auc_macro": float(areas.mean()),
        "pr_auc_weighted": float(areas @ common),
        f"pr_auc_{features.question}": _area_of_question(features, truth, found),
    }


def _area_of_question(features: FeatureSet, truth: NDArray[np.object_], found: NDArray[np.float64]) -> float:
    positive = np.isin(truth, features.positive)
    columns = [features.levels.index(level) for level in features.positive]
    return float(average_precision_score(positive, found[:, columns].sum(axis=1))) if positive.any() else 0.0


def recall(features: FeatureSet, truth: NDArray[np.object_], predicted: NDArray[np.object_]) -> dict[str, float]:
    """Share of each level's rows that were recognised, for the levels that rows have."""
    present = [level for level in features.levels if (truth == level).any()]
    shares = recall_score(truth, predicted, labels=present, average=None, zero_division=0)
    return {level: float(share) for level, share in zip(present, shares, strict=True)}


def _error_of_balanced_accuracy(
    features: FeatureSet, truth: NDArray[np.object_], predicted: NDArray[np.object_]
) -> float:
    """It is the mean of the levels' recalls, each a share r of n rows with variance r (1 - r) / n."""
    shares = recall(features, truth, predicted)
    variances = [share * (1 - share) / (truth == level).sum() for level, share in shares.items()]
    return float(np.sqrt(sum(variances)) / len(variances))


def importance(features: FeatureSet, model: Pipeline, rows: pl.DataFrame) -> dict[str, float]:
    """Balanced accuracy lost on `rows` when one feature's values are shuffled among them."""
    rows = rows.sample(min(rows.height, _ROWS_FOR_IMPORTANCE), seed=SEED)
    shuffled = [rows.with_columns(pl.col(name).shuffle(seed=SEED)) for name in features.names()]
    # One call for all of them: a call costs more than 500 rows do.
    with one_thread():
        predicted = model.predict(inputs(features, pl.concat([rows, *shuffled]))).reshape(-1, rows.height)
    whole, *without = [_mean_recall(target(features, rows), found) for found in predicted]
    return {name: whole - rest for name, rest in zip(features.names(), without, strict=True)}


def _mean_recall(truth: NDArray[np.object_], predicted: NDArray[np.object_]) -> float:
    return float(np.mean([(predicted[truth == level] == level).mean() for level in set(truth)]))
