"""Why a row is predicted what it is: the inputs that move its prediction most away from that of a typical row.

An input's effect is the prediction less what it would be with the typical value in its place, the median or the
commonest: for any estimator, at one prediction of the rows per input. Inputs that say the same of a row share what they
say, so each of them alone looks smaller than they are together.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lastmile.learning.declarations.model import Classification, Model
from lastmile.learning.evaluation.metrics import Predicted, probability_of_yes
from lastmile.learning.predictions import effects
from lastmile.learning.training.fitting import predicted

#: Predictions made for reasons, of rows with one typical value each: seconds with trees, however many rows there are.
_MOST_PREDICTIONS = 100_000


def reasons(
    model: Model,
    estimator: Any,
    rows: pd.DataFrame,
    found: Predicted,
    background: pd.DataFrame,
    importance: Mapping[str, float],
) -> pd.Series:
    """A JSON list for each row: input, its value, the typical one in `background`, and its effect, largest first.

    The effect is on the probability of yes where there is a question, on that of the likeliest level where there is
    none, or on the number, in its unit. Of many rows those with the highest probability of yes, or the prediction
    farthest from the median, have reasons; others have None.
    """
    names = explaining(model, importance)
    levels = found.argmax(axis=1)
    score = _score(model, found, levels)
    chosen = _chosen(model, score, _MOST_PREDICTIONS // len(names))
    some, typical = rows.iloc[chosen][model.inputs], typical_values(background, names)
    replaced = [some.assign(**{name: _column(rows[name], typical[name], some.index)}) for name in names]
    # One call for all of them: a call costs as much as a thousand rows do.
    without = predicted(model, estimator, pd.concat(replaced, ignore_index=True))
    lost = score[chosen] - _score(model, without, np.tile(levels[chosen], len(names))).reshape(len(names), -1)
    texts = pd.Series(None, index=range(len(rows)), dtype="str")
    texts.iloc[chosen] = _texts(names, some[names], typical, lost.T)
    return texts.set_axis(rows.index)


def explaining(model: Model, importance: Mapping[str, float]) -> list[str]:
    """The inputs that may be among a row's reasons, which `background` must have."""
    return effects.explaining(model.inputs, importance)


def _score(model: Model, found: Predicted, levels: NDArray[np.int_]) -> NDArray[np.float64]:
    if isinstance(model.task, Classification) and model.task.question:
        return probability_of_yes(model.task, found)
    return found[np.arange(len(found)), levels]


def _chosen(model: Model, score: NDArray[np.float64], most: int) -> NDArray[np.int_]:
    if len(score) <= most:
        return np.arange(len(score))
    is_asked = isinstance(model.task, Classification) and model.task.question
    first = -score if is_asked else -np.abs(score - np.median(score))
    return np.sort(np.argpartition(first, most)[:most])


def typical_values(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """The median or the commonest value of each of these inputs, None where no value is known."""
    return {name: _typical(rows[name]) for name in names}


def _typical(column: pd.Series) -> Any:
    known = column.dropna()
    if not len(known):
        return None
    if pd.api.types.is_bool_dtype(known.dtype):
        return bool(known.mode().iloc[0])
    return float(known.median()) if pd.api.types.is_numeric_dtype(known.dtype) else str(known.mode().iloc[0])


def _column(like: pd.Series, value: Any, index: pd.Index) -> pd.Series:
    is_whole = pd.api.types.is_integer_dtype(like.dtype)
    return pd.Series(value, index=index, dtype="float64" if is_whole else like.dtype)


def _texts(
    names: Sequence[str], values: pd.DataFrame, typical: Mapping[str, Any], moved: NDArray[np.float64]
) -> list[str]:
    largest = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, : effects.SHOWN]
    columns = [[_plain(value) for value in values[name]] for name in names]
    usual = [_plain(typical[name]) for name in names]
    return [
        json.dumps(
            [
                {"input": names[place], "value": columns[place][row], "typical": usual[place], "effect": effect}
                for place in places
                if (effect := effects.rounded(moved[row, place]))
            ],
            ensure_ascii=False,
        )
        for row, places in enumerate(largest)
    ]


def _plain(value: Any) -> Any:
    """As JSON has it, numbers to four digits."""
    if pd.isna(value):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return effects.rounded(float(value)) if isinstance(value, int | float | np.number) else str(value)
