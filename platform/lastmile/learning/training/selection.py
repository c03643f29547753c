"""The inputs that a model does best with: those that cost most on unseen rows of the training rows when shuffled.

    names = chosen_inputs(model, rows)    # at most `model.most_inputs`, in declared order

Importance by permutation (Breiman, 2001) works for any estimator. Of two inputs that say the same, each looks needless
while the other is there.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd

from lastmile.learning.declarations.model import Model
from lastmile.learning.evaluation.metrics import Predicted
from lastmile.learning.training.fitting import SEED, fit_as, predicted, target
from lastmile.learning.training.folds import Fold
from lastmile.learning.training.inner import inner_folds, loss

#: Unseen rows of a fold that importance is measured on.
_ROWS = 1_000
#: Frames of so many rows that are predicted in one call.
_FRAMES = 20


def chosen_inputs(model: Model, rows: pd.DataFrame) -> list[str]:
    """All inputs where there are no more than wanted, or too few rows to choose by."""
    split = inner_folds(model, rows)
    if not split or len(model.inputs) <= (model.most_inputs or len(model.inputs)):
        return model.inputs
    cost = np.mean([_costs(model, rows, fold) for fold in split], axis=0)
    best = np.argsort(-cost, kind="stable")[: model.most_inputs]
    return [model.inputs[place] for place in sorted(best)]


def _costs(model: Model, rows: pd.DataFrame, fold: Fold) -> list[float]:
    """What is lost when each input is shuffled among the fold's unseen rows."""
    training, unseen = (rows.iloc[places] for places in fold)
    estimator = fit_as(model, training, model.inputs, {})
    some = unseen.sample(min(len(unseen), _ROWS), random_state=SEED)
    order, truth = np.random.default_rng(SEED).permutation(len(some)), target(model, some)
    frames = (some.assign(**{name: some[name].array[order]}) for name in model.inputs)
    whole, *shuffled = [loss(model, truth, found) for found in _predicted(model, estimator, chain([some], frames))]
    return [lost - whole for lost in shuffled]


def _predicted(model: Model, estimator: Any, frames: Iterable[pd.DataFrame]) -> Iterator[Predicted]:
    """Of equally long frames; many in one call, which costs more than a thousand rows do."""
    waiting = iter(frames)
    while some := list(islice(waiting, _FRAMES)):
        yield from np.split(predicted(model, estimator, pd.concat(some, ignore_index=True)), len(some))
