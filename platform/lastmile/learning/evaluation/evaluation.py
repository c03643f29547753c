"""Training with evaluation: how good a model is on rows it never saw, next to a dummy.

Folds are made of a bounded number of rows, so that with many rows the fit of all of them is the main work.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from os import cpu_count
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import confusion_matrix

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.calibration import calibration
from lastmile.learning.evaluation.conformal import conformal
from lastmile.learning.evaluation.held_out import held_out, predictions, sampled
from lastmile.learning.evaluation.importance import importance
from lastmile.learning.evaluation.metrics import Predicted, Truth, floor_metric, recall, resampled, scores, values
from lastmile.learning.evaluation.resampling import bootstrap, clusters, count, interval
from lastmile.learning.evaluation.stability import out_of_time, shuffled_scores, spread
from lastmile.learning.evaluation.subgroups import fairness, within_groups
from lastmile.learning.training.fitting import fit, inputs, predicted, quiet, target
from lastmile.learning.training.folds import Fold, folds


@dataclass(frozen=True)
class Evaluation:
    """Scores of predictions for rows the model did not see; `dummy` has the same names.

    `importance` is the quality (balanced accuracy, or R² of a number) lost when an input's values are shuffled, mean
    over the folds. Of levels: `recall` is by level, `confusion` counts rows, true level by predicted level, in the
    levels' order; of numbers both are empty.
    """

    scores: Mapping[str, float]
    dummy: Mapping[str, float]
    importance: Mapping[str, float]
    rows: int
    groups: int
    folds: int
    #: Standard error of each score and the interval that holds it in 95 of 100 cases, by clustered bootstrap over the
    #: groups; empty where there is one group.
    error: Mapping[str, float]
    interval_of: Mapping[str, list[float]]
    recall: Mapping[str, float]
    confusion: list[list[int]]
    #: What the model's floor is of: `metric`, its `score`, the `dummy`'s, and the `floor`.
    floor: Mapping[str, Any]
    within_groups: Mapping[str, float]
    out_of_time: Mapping[str, Any]
    shuffles: Mapping[str, Any]
    #: Of levels; empty of numbers.
    calibration: Mapping[str, Any]
    fairness: Mapping[str, Any]
    #: Of numbers; empty of levels.
    interval: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The scores by name, and under names of their own everything else."""
        return {
            **self.scores,
            "dummy": dict(self.dummy),
            "recall": dict(self.recall),
            "confusion": self.confusion,
            "importance": dict(self.importance),
            "error": dict(self.error),
            "interval_of": dict(self.interval_of),
            "floor": dict(self.floor),
            "within_groups": dict(self.within_groups),
            "out_of_time": dict(self.out_of_time),
            "shuffles": dict(self.shuffles),
            "calibration": dict(self.calibration),
            "fairness": dict(self.fairness),
            "interval": dict(self.interval),
            "judged_on": {"rows": self.rows, "groups": self.groups, "folds": self.folds},
        }


@dataclass(frozen=True)
class Trained:
    """`held_out` has what was predicted for each row by the fold that had not seen it: see `held_out.held_out`."""

    estimator: Any
    evaluation: Evaluation
    held_out: pd.DataFrame


def train_and_evaluate(model: Model, rows: pd.DataFrame) -> Trained:
    """An estimator fitted on all rows, and how good those fitted alike on a part are on rows they never saw.

    All are fitted in parallel, each on one thread. Raises TooLittleData.
    """
    some = sampled(model.features, rows)
    split = folds(model, some)
    with quiet(), ThreadPoolExecutor(cpu_count()) as pool:
        fitted = pool.submit(fit, model, rows)  # first, since it has the most rows
        newest, others = pool.submit(out_of_time, model, some), pool.submit(shuffled_scores, model, some)
        by_fold = list(pool.map(partial(_evaluate_fold, model, some), split))
        unseen = held_out(model, some, split, [found for found, _ in by_fold])
        lost = pd.DataFrame([loss for _, loss in by_fold]).mean()
        evaluation = _evaluation(model, some.loc[unseen.index], unseen, lost, newest.result(), others.result())
        return Trained(fitted.result(), evaluation, unseen.reset_index(drop=True))


def _evaluate_fold(model: Model, rows: pd.DataFrame, fold: Fold) -> tuple[Predicted, dict[str, float]]:
    training, unseen = fold
    estimator = fit(model, rows.iloc[training])
    return predicted(model, estimator, rows.iloc[unseen]), importance(model, estimator, rows.iloc[unseen])


def _evaluation(
    model: Model,
    rows: pd.DataFrame,
    unseen: pd.DataFrame,
    lost: pd.Series,
    newest: dict[str, Any],
    others: Sequence[dict[str, float]],
) -> Evaluation:
    truth, found, groups = target(model, unseen), predictions(model, unseen), unseen[model.features.group]
    # Of all these rows, because one that learned by fold would call too rare what the fold has more of.
    dummy = DummyClassifier(strategy="prior") if isinstance(model.task, Classification) else DummyRegressor()
    dummy.fit(inputs(model.features, rows, model.inputs), truth)
    of_dummy = predicted(model, dummy, rows)
    scored = scores(model, truth, found)
    return Evaluation(
        scores=scored,
        dummy=scores(_likeliest(model), truth, of_dummy),
        importance={name: float(lost[name]) for name in model.inputs},
        rows=len(unseen),
        groups=groups.nunique(),
        folds=unseen["fold"].nunique(),
        floor=_floor(model, truth, found, of_dummy),
        within_groups=within_groups(model, truth, found, groups),
        out_of_time=newest,
        shuffles=spread(scored, list(others)),
        fairness=fairness(model, rows, truth, found),
        **_errors(model, truth, found, groups),
        **_of_task(model, truth, found, unseen),
    )


def _floor(model: Model, truth: Truth, found: Predicted, of_dummy: Predicted) -> dict[str, Any]:
    name = floor_metric(model)
    score, dummy = scores(model, truth, found, [name]), scores(_likeliest(model), truth, of_dummy, [name])
    return {"metric": name, "score": score[name], "dummy": dummy[name], "floor": model.floor.value}


def _likeliest(model: Model) -> Model:
    """As a dummy answers: of how common the levels are it knows the commonest, next to which all are as likely."""
    if not isinstance(model.task, Classification):
        return model
    return replace(model, task=replace(model.task, common=()))


def _errors(model: Model, truth: Truth, found: Predicted, groups: pd.Series) -> dict[str, Any]:
    codes = clusters(groups)
    if count(codes) < 2:
        return {"error": {}, "interval_of": {}}
    replicates = resampled(model, truth, found, codes, bootstrap(codes))
    known = {name: of_name[np.isfinite(of_name)] for name, of_name in replicates.items()}
    known = {name: of_name for name, of_name in known.items() if len(of_name)}
    return {
        "error": {name: float(of_name.std()) for name, of_name in known.items()},
        "interval_of": {name: list(interval(of_name, count(codes))) for name, of_name in known.items()},
    }


def _of_task(model: Model, truth: Truth, found: Predicted, unseen: pd.DataFrame) -> dict[str, Any]:
    if not isinstance(model.task, Classification):
        groups, fold = unseen[model.features.group].to_numpy(), unseen["fold"].to_numpy()
        interval = conformal(model.task, truth, found[:, 0], groups, fold)
        return {"recall": {}, "confusion": [], "calibration": {}, "interval": interval}
    answer = values(model, found)
    return {
        "recall": recall(model.task, truth, answer),
        "confusion": confusion_matrix(truth, answer, labels=list(model.task.levels)).tolist(),
        "calibration": calibration(model.task, truth, found),
    }
