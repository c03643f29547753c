"""Hyper-parameters found by trials on the training rows: seeded, pruned fold by fold, bounded by trials and seconds.

    parameters = best_parameters(model, rows, model.inputs)    # for the estimator's `set_params`

The declared ones are tried first, and are kept where no trial is better. The same rows give the same parameters, unless
the search ran out of time.
"""

from typing import Any

import numpy as np
import pandas as pd

from lastmile.errors import naming_the_extra
from lastmile.learning.declarations.model import Model
from lastmile.learning.training.fitting import SEED, fit_as, predicted, target
from lastmile.learning.training.folds import Fold
from lastmile.learning.training.inner import inner_folds, loss

#: Trials before any is pruned: until then there is no median to be worse than.
_UNPRUNED = 4


def best_parameters(model: Model, rows: pd.DataFrame, names: list[str]) -> dict[str, Any]:
    """Parameters with the least loss on inner folds, mean over the folds; empty where the declared ones are best.

    Raises UserError without optuna.
    """
    with naming_the_extra(f"the search of model {model.name}"):
        import optuna
    split = inner_folds(model, rows)
    if model.search is None or not split:
        return {}
    space, tried = model.search.space, {}

    def trial_loss(trial: optuna.Trial) -> float:
        parameters = tried[trial.number] = space(trial)
        found: list[float] = []
        for number, fold in enumerate(split):
            found.append(_fold_loss(model, rows, names, parameters, fold))
            trial.report(float(np.mean(found)), number)
            if trial.should_prune():
                raise optuna.TrialPruned
        return float(np.mean(found))

    declared = float(np.mean([_fold_loss(model, rows, names, {}, fold) for fold in split]))
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else a line for each trial
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=SEED), pruner=optuna.pruners.MedianPruner(_UNPRUNED)
    )
    study.optimize(trial_loss, n_trials=model.search.trials, timeout=model.search.seconds)
    best = [trial for trial in study.trials if trial.value is not None and trial.value < declared]
    return tried[min(best, key=lambda trial: (trial.value, trial.number)).number] if best else {}


def _fold_loss(model: Model, rows: pd.DataFrame, names: list[str], parameters: dict[str, Any], fold: Fold) -> float:
    training, unseen = (rows.iloc[places] for places in fold)
    estimator = fit_as(model, training, names, parameters)
    return loss(model, target(model, unseen), predicted(model, estimator, unseen))
