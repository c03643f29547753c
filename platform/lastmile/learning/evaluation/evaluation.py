"""How good a model is, next to a dummy that knows only how common each level is, or only the mean."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import confusion_matrix

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.metrics import Predicted, error_of_balanced_accuracy, quality, recall, scores, values
from lastmile.learning.training.fitting import (
    SEED,
    Fold,
    fit,
    folds,
    inputs,
    one_thread,
    predicted,
    quiet,
    target,
    used_inputs,
)

#: Rows of a fold that importance is measured on: enough for two decimals, and seconds however many rows there are.
_ROWS_FOR_IMPORTANCE = 2_000


@dataclass(frozen=True)
class Evaluation:
    """Scores of predictions for rows the model did not see; `dummy` has the same names.

    `importance` is the quality (balanced accuracy, or R² of a number) lost when an input's values are shuffled, mean
    over the folds. Of levels: `recall` is by level, `confusion` counts rows, true level by predicted level, in the
    levels' order, and `error` has the standard error of the balanced accuracy; of numbers all three are empty.
    """

    scores: Mapping[str, float]
    dummy: Mapping[str, float]
    importance: Mapping[str, float]
    rows: int
    groups: int
    folds: int
    error: Mapping[str, float]
    recall: Mapping[str, float]
    confusion: list[list[int]]

    def as_json(self) -> dict[str, Any]:
        """The scores by name, and under names of their own everything else."""
        return {
            **self.scores,
            "dummy": dict(self.dummy),
            "recall": dict(self.recall),
            "confusion": self.confusion,
            "importance": dict(self.importance),
            "error": dict(self.error),
            "judged_on": {"rows": self.rows, "groups": self.groups, "folds": self.folds},
        }


def train_and_evaluate(model: Model, rows: pd.DataFrame) -> tuple[Any, Evaluation]:
    """An estimator fitted on all rows, and how good those fitted alike on a part are on rows they never saw.

    All are fitted in parallel, each on one thread. Raises TooLittleData.
    """
    split = folds(model, rows)
    with quiet(), ThreadPoolExecutor(cpu_count()) as pool:
        fitted = pool.submit(fit, model, rows)  # first, since it has the most rows
        found = list(pool.map(partial(_evaluate_fold, model, rows), split))
        return fitted.result(), _evaluation(model, rows, split, found)


def _evaluate_fold(model: Model, rows: pd.DataFrame, fold: Fold) -> tuple[Predicted, dict[str, float]]:
    training, unseen = fold
    estimator = fit(model, rows.iloc[training])
    return predicted(model, estimator, rows.iloc[unseen]), importance(model, estimator, rows.iloc[unseen])


def _evaluation(
    model: Model, rows: pd.DataFrame, split: Sequence[Fold], by_fold: Sequence[tuple[Predicted, dict[str, float]]]
) -> Evaluation:
    places = np.concatenate([unseen for _, unseen in split])
    order = np.argsort(places)
    found = np.concatenate([of_fold for of_fold, _ in by_fold])[order]
    unseen = rows.iloc[places[order]]
    truth = target(model, unseen)
    # Of all these rows, because one that learned by fold would call too rare what the fold has more of.
    dummy = DummyClassifier(strategy="prior") if isinstance(model.task, Classification) else DummyRegressor()
    dummy.fit(inputs(model.features, unseen, model.inputs), truth)
    return Evaluation(
        scores=scores(model, truth, found),
        dummy=scores(model, truth, predicted(model, dummy, unseen)),
        importance={name: float(np.mean([loss[name] for _, loss in by_fold])) for name in model.inputs},
        rows=len(unseen),
        groups=unseen[model.features.group].nunique(),
        folds=len(split),
        **_of_levels(model, truth, values(model, found)),
    )


def _of_levels(model: Model, truth: Any, found: Any) -> dict[str, Any]:
    if not isinstance(model.task, Classification):
        return {"error": {}, "recall": {}, "confusion": []}
    return {
        "error": {"balanced_accuracy": error_of_balanced_accuracy(model.task, truth, found)},
        "recall": recall(model.task, truth, found),
        "confusion": confusion_matrix(truth, found, labels=list(model.task.levels)).tolist(),
    }


def importance(model: Model, estimator: Any, rows: pd.DataFrame) -> dict[str, float]:
    """Quality lost on `rows` when one input's values are shuffled among them."""
    rows = rows.sample(min(len(rows), _ROWS_FOR_IMPORTANCE), random_state=SEED)
    given, names = inputs(model.features, rows, model.inputs), model.inputs
    shuffled = [given.assign(**{name: given[name].sample(frac=1, random_state=SEED).to_numpy()}) for name in names]
    # One call for all of them: a call costs more than 500 rows do.
    with one_thread():
        found = estimator.predict(pd.concat([given, *shuffled])[used_inputs(model, estimator)]).reshape(-1, len(rows))
    truth = target(model, rows)
    whole, *without = [quality(model, truth, of_one) for of_one in found]
    return {name: whole - rest for name, rest in zip(names, without, strict=True)}
