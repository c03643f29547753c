"""Folds within the rows that a model is trained on, and the loss on them: by these, inputs and parameters are chosen.

Choosing by rows that also evaluate the result makes noise look like knowledge (Ambroise and McLachlan, 2002): the best
3 of 80 inputs of pure noise have an AUC well above 0.5. So `fit` chooses anew on each fold's training rows.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from lastmile.learning.declarations.model import Model
from lastmile.learning.evaluation.metrics import Predicted, higher_is_better, scores
from lastmile.learning.training.folds import Fold, TooLittleData, folds

#: Three cost three fits a trial, and say which of two is better nearly as well as five.
_FOLDS = 3


def inner_folds(model: Model, rows: pd.DataFrame) -> list[Fold]:
    """None where there are too few rows to choose by: the model is then fitted as it is declared."""
    split = replace(model.split, folds=min(_FOLDS, model.split.folds))
    try:
        return folds(replace(model, split=split), rows)
    except TooLittleData:
        return []


def loss(model: Model, truth: Any, found: Predicted) -> float:
    """By the metric that versions of the model are compared by; lower is better. Infinite where it has no value."""
    name = model.compared_by
    score = scores(replace(model, metrics=(name,)), truth, found)[name]
    return (-score if higher_is_better(name) else score) if np.isfinite(score) else np.inf
