"""Which inputs a model's predictions rest on."""

from typing import Any

import pandas as pd

from lastmile.learning.declarations.model import Model
from lastmile.learning.evaluation.metrics import quality
from lastmile.learning.training.fitting import SEED, inputs, one_thread, target, used_inputs

#: Rows of a fold that importance is measured on, each predicted once an input: of five folds enough for two decimals.
_ROWS = 250


def importance(model: Model, estimator: Any, rows: pd.DataFrame) -> dict[str, float]:
    """Quality lost on `rows` when one input's values are shuffled among them."""
    rows = rows.sample(min(len(rows), _ROWS), random_state=SEED)
    given, names = inputs(model.features, rows, model.inputs), model.inputs
    shuffled = [given.assign(**{name: given[name].sample(frac=1, random_state=SEED).to_numpy()}) for name in names]
    # One call for all of them: a call costs more than 250 rows do.
    with one_thread():
        found = estimator.predict(pd.concat([given, *shuffled])[used_inputs(model, estimator)]).reshape(-1, len(rows))
    truth = target(model, rows)
    whole, *without = [quality(model, truth, of_one) for of_one in found]
    return {name: whole - rest for name, rest in zip(names, without, strict=True)}
